import { describe, expect, it } from 'vitest'
import { colorsFor } from '../../src/cli/output/colors.ts'
import { frameOf, progressLine, stateOf } from '../../src/cli/progress.ts'
import { type ProgressDeps, progressOn } from '../../src/cli/progress-writer.ts'
import type { WorkloadView } from '../../src/model/views.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { NOW, quarantineView, rolloutView, scheduleView, workloadView } from '../support/fake-views.ts'

const colors = colorsFor({ env: {}, isTTY: false, plain: true })
const painted = colorsFor({ env: { FORCE_COLOR: '1' }, isTTY: true, plain: false })
const canvas = { columns: 80, rows: 24, colors, now: NOW }
const step = { number: 1, of: 2, replicas: 1 }
const rolling = (over: Partial<WorkloadView> = {}) =>
  workloadView({ health: 'Progressing', desired: 10, ready: 3, rollout: rolloutView({ step, updated: 2 }), ...over })

const crash = { code: 'BackOff', message: 'exited\u001b[2J', count: 1 }

describe('a line of progress', () => {
  const rows: [string, WorkloadView, string][] = [
    ['well', workloadView(), 'deployment/web: Healthy, 2/2 ready'],
    ['rolling', rolling(), 'deployment/web: Rolling, 3/10 ready, 2 updated, step 1/2'],
    ['in a namespace', rolling({ namespace: 'back' }), 'deployment/web (back): Rolling, 3/10 ready, 2 updated, step 1/2'],
    [
      'paused',
      rolling({ rollout: rolloutView({ phase: 'Paused', step }) }),
      'deployment/web: Paused, 3/10 ready, 2 updated, step 1/2, until promoted, `drover promote deployment/web` goes on',
    ],
    ['going back', rolling({ rollout: rolloutView({ intent: 'Restore' }) }), 'deployment/web: Rolling, 3/10 ready, 2 updated, going back'],
    ['rolled back', workloadView({ quarantine: quarantineView() }), 'deployment/web: Healthy, 2/2 ready, rolled back'],
    ['with runs', workloadView({ kind: 'CronJob', schedule: scheduleView({ active: ['x', 'y'] }) }), 'cronjob/web: Healthy, 2 under way'],
    ['in trouble', workloadView({ health: 'Degraded', reasons: [crash] }), 'deployment/web: Degraded, 2/2 ready, BackOff: exited\\e[2J'],
  ]
  it.each(rows)('%s', (_, view, line) => expect(progressLine(view)).toBe(line))

  it('is news by phase, step and reason, not by counts', () => {
    expect(stateOf(rolling({ ready: 9 }))).toBe(stateOf(rolling()))
    const others = [rolling({ rollout: null }), rolling({ rollout: rolloutView() }), rolling({ reasons: [crash] })]
    expect(new Set([rolling(), ...others].map(stateOf)).size).toBe(4)
  })
})

describe('a frame', () => {
  it('has a line for each workload, in columns', () => {
    expect(frameOf([rolling({ name: 'web' }), workloadView({ kind: 'Job', name: 'migrate' })], canvas)).toEqual([
      'deployment/web   Rolling   3/10 ready, 2 updated   step 1/2   60s',
      'job/migrate      Healthy   2/2 ready',
    ])
  })

  it('is no higher than the terminal, and shows first what is not settled', () => {
    const views = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => (name === 'f' ? rolling({ name }) : workloadView({ name })))
    const lines = frameOf(views, { ...canvas, rows: 4 })
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['deployment/f', 'deployment/a', '...'])
    expect(lines.at(-1)).toBe('... and 4 more')
    expect(frameOf(views, { ...canvas, rows: 1 })).toEqual(['... and 6 more'])
    expect(frameOf(views, { ...canvas, rows: 7 })).toHaveLength(6)
    expect(frameOf([], canvas)).toEqual([])
  })

  it('is no wider than the terminal, and has no colour where it is cut', () => {
    const [whole] = frameOf([rolling()], { ...canvas, colors: painted })
    expect(whole).toContain('\u001b[33mRolling')
    const [cut] = frameOf([rolling()], { ...canvas, columns: 20, colors: painted })
    expect(cut).toBe('deployment/web   Ro')
  })
})

function terminal(tty: boolean, env: Record<string, string> = {}) {
  const clock = createFakeClock()
  clock.jumpWall(Date.parse(rolloutView().startedAt) - clock.now())
  const written: string[] = []
  const stderr = { write: (text: string) => written.push(text), columns: 80, rows: 10 }
  const deps: ProgressDeps = { stderr, isTTY: { stdin: tty, stdout: tty, stderr: tty }, clock, env }
  return { clock, written, progress: progressOn(deps, colors) }
}

describe('on a terminal', () => {
  it('draws the lines again in their place, and only when they differ', async () => {
    const { clock, written, progress } = terminal(true)
    progress.show([rolling(), workloadView({ name: 'api' })])
    progress.show([rolling(), workloadView({ name: 'api' })])
    expect(written).toHaveLength(1)
    await clock.advance(1_000)
    progress.tick()
    expect(written).toHaveLength(2)
    expect(written[1]).toMatch(/Rolling.* 1s\n.*Healthy.*\n$/)
    expect(written[1]?.startsWith('\r\u001b[2A\u001b[J')).toBe(true)
    progress.show([rolling()])
    progress.show([rolling({ ready: 4 })])
    expect(written[3]).toContain('4/10 ready')
    expect(written[3]?.startsWith('\r\u001b[1A\u001b[J')).toBe(true)
  })

  it('leaves the last state, and nothing where there was nothing to wait for', () => {
    const { written, progress } = terminal(true)
    progress.end([workloadView()])
    expect(written).toEqual([])
    progress.show([rolling()])
    progress.end([workloadView()])
    expect(written.at(-1)).toContain('Healthy')
  })
})

describe('in a log', () => {
  it('says what is not settled, then what changes, without control sequences', async () => {
    for (const { clock, written, progress } of [terminal(false), terminal(true, { TERM: 'dumb' })]) {
      progress.show([rolling(), workloadView({ name: 'api' })])
      progress.show([rolling({ ready: 9 }), workloadView({ name: 'api' })])
      await clock.advance(6_000)
      progress.show([workloadView(), workloadView({ name: 'api' })])
      progress.end([workloadView()])
      expect(written).toEqual(['deployment/web: Rolling, 3/10 ready, 2 updated, step 1/2\n', 'deployment/web: Healthy, 2/2 ready\n'])
    }
  })

  it('says what goes to and fro once in a while, and then how it is', async () => {
    const { clock, written, progress } = terminal(false)
    for (let turn = 0; turn < 40; turn += 1) {
      progress.show([turn % 2 === 0 ? rolling() : rolling({ reasons: [crash] })])
      await clock.advance(200)
    }
    expect(written).toHaveLength(2)
    await clock.advance(5_000)
    progress.tick()
    expect(written.length).toBeLessThanOrEqual(3)
  })

  it('counts what would be a flood', () => {
    const { written, progress } = terminal(false)
    progress.show(Array.from({ length: 300 }, (_, at) => rolling({ name: `w${at}` })))
    expect(written).toHaveLength(11)
    expect(written.at(-1)).toBe('... and 290 more workloads changed\n')
  })
})
