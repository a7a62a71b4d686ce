import { describe, expect, it } from 'vitest'
import { momentOf } from '../../src/cli/options.ts'
import type { LogLine, LogOptions } from '../../src/model/protocol.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { appView, NOW, runView, taskView, workloadView } from '../support/fake-views.ts'

const said = (text: string): LogLine[] => [{ stream: 'stdout', at: NOW, text }]
const part = (id: string, createdAt: string) => taskView({ id, kind: 'Job', workload: 'migrate', run: 'migrate-1', createdAt })

describe('logs', () => {
  it('of a job are those of its newest task', async () => {
    const control = fakeControl({
      apps: [appView({ workloads: [workloadView({ kind: 'Job', name: 'migrate' })] })],
      tasks: [
        part('one', '2026-11-20T11:00:00.000Z'),
        part('three', '2026-11-20T11:02:00.000Z'),
        part('two', '2026-11-20T11:01:00.000Z'),
        { ...part('four', '2026-11-20T11:03:00.000Z'), agent: null },
      ],
      logs: { one: said('one'), two: said('two'), three: said('three') },
    })
    expect(await cliOver(control).run('logs', 'job/migrate')).toEqual({ exit: 0, stdout: 'three\n', stderr: '' })
  })

  it('of a run are those of all its tasks, each line with its own', async () => {
    const control = fakeControl({
      runs: [runView({ attempts: [] })],
      tasks: [part('one', '2026-11-20T11:00:00.000Z'), part('two', '2026-11-20T11:01:00.000Z')],
      logs: { one: said('a'), two: said('b') },
    })
    const { stdout } = await cliOver(control).run('logs', 'run/migrate-1', '--timestamps')
    expect(stdout).toBe('one 2026-11-20T12:00:00.000Z a\ntwo 2026-11-20T12:00:00.000Z b\n')
  })

  it('of a run of which nothing is kept are not there, but how it ended is', async () => {
    const { exit, stderr } = await cliOver(fakeControl({ runs: [runView({ attempts: [] })] })).run('logs', 'run/migrate-1')
    expect({ exit, stderr }).toEqual({
      exit: 5,
      stderr: 'error: run/migrate-1 left no logs that are still kept\nhint: `drover describe run/migrate-1` tells how it ended\n',
    })
  })

  it('are asked for as the flags say', async () => {
    const control = fakeControl({ tasks: [taskView({ id: 'one' })], logs: { one: said('a') } })
    const asked: LogOptions[] = []
    const { logs } = control
    control.logs = (task, options, signal) => {
      asked.push(options)
      return logs(task, options, signal)
    }
    const flags = '-c main --tail 5 --attempt 2 --since 10m --until 2026-11-20T12:00:00.5+01:00'
    await cliOver(control).run('logs', 'task/one', ...flags.split(' '))
    expect(asked).toEqual([{ unit: 'main', tail: 5, attempt: 2, since: NOW - 600_000, until: NOW - 3_600_000 + 500, follow: false }])
  })
})

describe('moments', () => {
  it.each([
    ['1h30m', { ago: 5_400_000 }],
    ['2026-11-20T12:00:00Z', { at: NOW }],
    ['2026-11-20t13:00:00.250+01:00', { at: NOW + 250 }],
  ])('%s', (text, moment) => {
    expect(momentOf(text)).toEqual(moment)
  })

  it.each(['', '10', '2026-11-20', '2026-11-20T12:00:00', '2026-02-31T00:00:00Z', '2026-13-01T00:00:00Z', 'now', '-5m'])(
    '%j is none',
    (text) => {
      expect(() => momentOf(text)).toThrow(expect.objectContaining({ exitCode: 2, message: `"${text}" is no time` }))
    },
  )
})
