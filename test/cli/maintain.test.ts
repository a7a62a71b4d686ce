import { describe, expect, it } from 'vitest'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { agentView } from '../support/fake-views.ts'

const draining = (leaving: number) => ({
  phase: 'Draining' as const,
  since: '2026-11-20T12:00:00.000Z',
  deadline: '2026-11-20T12:10:00.000Z',
  actor: 'ann',
  leaving,
})
const control = (leaving: number) => fakeControl({ agents: [agentView({ id: 'node-1', maintenance: draining(leaving) })] })

describe('cordon, uncordon and drain', () => {
  it.each(['cordon', 'uncordon'])('%s names the machine', async (verb) => {
    const over = control(0)
    expect(await cliOver(over).run(verb, 'agent/node-1')).toMatchObject({ exit: 0 })
    expect(over.asked).toMatchObject([{ verb, app: 'node-1' }])
  })

  it('drain gives a deadline, and says how many tasks are left', async () => {
    const over = control(2)
    const { exit, stderr } = await cliOver(over).run('drain', 'agent/node-1', '--deadline', '90s')
    expect(exit).toBe(0)
    expect(stderr).toContain('2 are to leave it until 2026-11-20T12:10:00.000Z')
    expect(over.asked).toMatchObject([{ verb: 'drain', request: { deadlineSeconds: 90 } }])
  })

  it('drain --wait ends once none is left', async () => {
    const over = control(1)
    const running = cliOver(over).run('drain', 'agent/node-1', '--wait')
    over.data.agents = [agentView({ id: 'node-1', maintenance: draining(0) })]
    over.touch()
    expect(await running).toMatchObject({ exit: 0, stderr: expect.stringContaining('agent/node-1 is drained') })
  })

  it('forget says what is lost, and how to take it back; a connected machine only when it is said so', async () => {
    const over = control(0)
    const { exit, stderr } = await cliOver(over).run('forget', 'agent/node-1', '--connected')
    expect(exit).toBe(0)
    expect(stderr).toContain('2 tasks on it are lost; `drover admit agent/node-1` lets it join again')
    await cliOver(over).run('forget', 'agent/node-1')
    await cliOver(over).run('admit', 'agent/node-1')
    expect(over.asked).toMatchObject([
      { verb: 'forget', app: 'node-1', request: { connected: 'Forget' } },
      { verb: 'forget', request: { connected: 'Refuse' } },
      { verb: 'admit', app: 'node-1' },
    ])
  })

  it('refuses what is no machine, and a machine that nobody knows', async () => {
    expect(await cliOver(control(0)).run('cordon', 'deployment/web')).toMatchObject({ exit: 2 })
    expect(await cliOver(control(0)).run('cordon', 'agent/node-9')).toMatchObject({ exit: 5 })
  })
})
