import { describe, expect, it } from 'vitest'
import { LEFTOVERS_KEPT, nextStep, onResult, type TaskEvent } from '../../src/core/task.ts'
import { type AgentTask, type Desired, initialState, type Life, statusOf, UNKNOWN_HEALTH } from '../../src/core/task-life.ts'
import type { TaskId } from '../../src/model/ids.ts'

const NOW = 1_000_000
const rule = { restartPolicy: 'Always', maxRestarts: null } as const
const fresh = initialState({ task: 't' as TaskId, rule, desired: 'run', found: null })

const away = { retryable: true, code: 'Away', message: 'not now' }
const hopeless = { retryable: false, code: 'ImageNotFound', message: 'never' }
const exit = (exitCode: number | null, reason = 'Error', signal: string | null = null) => ({
  exitCode,
  signal,
  reason,
  startedAt: NOW - 5_000,
  finishedAt: NOW,
  peakMemoryBytes: 4096,
})

const unwell = { code: 'LivenessProbeFailed', message: 'status 503', count: 1 }
const unready = { code: 'ReadinessProbeFailed', message: 'status 503', count: 1 }
const nothing = { because: null, ...UNKNOWN_HEALTH }

const LIVES = {
  Preparing: { phase: 'Preparing' },
  Starting: { phase: 'Starting' },
  'Recovering, was Starting': { phase: 'Recovering', was: 'Starting', startedAt: null, ...nothing },
  'Recovering, was Running': { phase: 'Recovering', was: 'Running', startedAt: NOW - 5_000, ...nothing, startup: 'passed', ready: true },
  'Recovering, was Stopping': { phase: 'Recovering', was: 'Stopping', startedAt: NOW - 5_000, ...nothing },
  'Recovering, was Stopping an unhealthy one': {
    phase: 'Recovering',
    was: 'Stopping',
    startedAt: NOW - 5_000,
    ...nothing,
    because: unwell,
  },
  Running: { phase: 'Running', ref: 'r', startedAt: NOW - 5_000, ...UNKNOWN_HEALTH },
  'Running, ready': { phase: 'Running', ref: 'r', startedAt: NOW - 5_000, startup: 'passed', ready: true, unready: null },
  'Running, unready': { phase: 'Running', ref: 'r', startedAt: NOW - 5_000, startup: 'passed', ready: false, unready },
  Stopping: { phase: 'Stopping', ref: 'r', startedAt: NOW - 5_000, because: null },
  'Stopping an unhealthy one': { phase: 'Stopping', ref: 'r', startedAt: NOW - 5_000, because: unwell },
  Ended: { phase: 'Ended', as: 'Succeeded' },
  Removed: { phase: 'Removed' },
} satisfies Record<string, Life>
type LifeName = keyof typeof LIVES

const EVENTS = {
  'told to run': { type: 'assigned', desired: 'run', rule },
  'told to stop': { type: 'assigned', desired: 'stop', rule },
  'told to go': { type: 'assigned', desired: 'gone', rule },
  'agent restarted': { type: 'agentRestarted' },
  due: { type: 'due' },
  prepared: { type: 'prepared', images: { main: 'web@sha256:1' } },
  'prepare failed': { type: 'prepareFailed', failure: away },
  'prepare hopeless': { type: 'prepareFailed', failure: hopeless },
  started: { type: 'started', ref: 'r', ready: true },
  'start failed': { type: 'startFailed', failure: away },
  'start hopeless': { type: 'startFailed', failure: hopeless },
  'start not called': { type: 'startNotCalled', failure: away },
  attached: { type: 'attached', ref: 'r' },
  'never started': { type: 'neverStarted' },
  missing: { type: 'goneMissing' },
  'startup passed': { type: 'startupPassed' },
  ready: { type: 'ready' },
  unready: { type: 'unready', reason: unready, lastLines: ['oh'] },
  unhealthy: { type: 'unhealthy', reason: unwell, lastLines: ['oh'] },
  'exited with 0': { type: 'exited', exit: exit(0, 'Completed'), lastLines: [] },
  'exited with 1': { type: 'exited', exit: exit(1), lastLines: ['bye'] },
  stuck: { type: 'stuck', failure: { retryable: true, code: 'Stuck', message: 'processes 7 cannot be killed' } },
  stopped: { type: 'stopped', exit: exit(143), lastLines: [] },
  'step failed': { type: 'stepFailed', failure: away },
  'step hopeless': { type: 'stepFailed', failure: hopeless },
  removed: { type: 'removed', attempt: 1 },
  'remove failed': { type: 'removeFailed', attempt: 1, failure: away },
} satisfies Record<string, TaskEvent>
type EventName = keyof typeof EVENTS

/** Every pair that is not named here changes nothing but at most the counters. `2 Preparing`: the next attempt. */
const CHANGES: { readonly [L in LifeName]: Partial<Record<EventName, string>> } = {
  Preparing: {
    'told to stop': '1 Stopped',
    'told to go': 'Removed',
    prepared: '1 Starting',
    'prepare failed': '1 Preparing, waits',
    'prepare hopeless': '1 Rejected',
  },
  Starting: {
    'agent restarted': '1 Starting?',
    started: '1 Running, ready',
    'start failed': '1 Starting?, waits',
    'start hopeless': '1 Rejected',
    'start not called': '2 Preparing, waits',
  },
  'Recovering, was Starting': {
    attached: '1 Running',
    'never started': '2 Preparing',
    missing: '2 Preparing + record',
    'step failed': '1 Starting?, waits',
    'step hopeless': '1 Starting?, waits',
  },
  'Recovering, was Running': {
    attached: '1 Running, startup passed, ready',
    'never started': '2 Preparing + record',
    missing: '2 Preparing + record',
    'step failed': '1 Running?, startup passed, ready, waits',
    'step hopeless': '1 Running?, startup passed, ready, waits',
  },
  'Recovering, was Stopping': {
    attached: '1 Stopping',
    'never started': '2 Preparing + record',
    missing: '2 Preparing + record',
    'step failed': '1 Stopping?, waits',
    'step hopeless': '1 Stopping?, waits',
  },
  'Recovering, was Stopping an unhealthy one': {
    attached: '1 Stopping (LivenessProbeFailed)',
    'never started': '2 Preparing + LivenessProbeFailed',
    missing: '2 Preparing + LivenessProbeFailed',
    'step failed': '1 Stopping? (LivenessProbeFailed), waits',
    'step hopeless': '1 Stopping? (LivenessProbeFailed), waits',
  },
  Running: {
    'told to stop': '1 Stopping',
    'told to go': '1 Stopping',
    'agent restarted': '1 Running?',
    'startup passed': '1 Running, startup passed',
    ready: '1 Running, startup passed, ready',
    unready: '1 Running (ReadinessProbeFailed)',
    unhealthy: '1 Stopping (LivenessProbeFailed)',
    'exited with 0': '2 Preparing + record',
    'exited with 1': '2 Preparing + record',
    stuck: '1 Stopping, waits',
    'step failed': '1 Running?, waits',
    'step hopeless': '2 Preparing + record',
  },
  'Running, ready': {
    'told to stop': '1 Stopping',
    'told to go': '1 Stopping',
    'agent restarted': '1 Running?, startup passed, ready',
    unready: '1 Running (ReadinessProbeFailed), startup passed',
    unhealthy: '1 Stopping (LivenessProbeFailed)',
    'exited with 0': '2 Preparing + record',
    'exited with 1': '2 Preparing + record',
    stuck: '1 Stopping, waits',
    'step failed': '1 Running?, startup passed, ready, waits',
    'step hopeless': '2 Preparing + record',
  },
  'Running, unready': {
    'told to stop': '1 Stopping',
    'told to go': '1 Stopping',
    'agent restarted': '1 Running? (ReadinessProbeFailed), startup passed',
    ready: '1 Running, startup passed, ready',
    unhealthy: '1 Stopping (LivenessProbeFailed)',
    'exited with 0': '2 Preparing + record',
    'exited with 1': '2 Preparing + record',
    stuck: '1 Stopping, waits',
    'step failed': '1 Running? (ReadinessProbeFailed), startup passed, waits',
    'step hopeless': '2 Preparing + record',
  },
  Stopping: {
    'agent restarted': '1 Stopping?',
    stopped: '2 Preparing + record',
    'step failed': '1 Stopping, waits',
    'step hopeless': '2 Preparing + record',
  },
  'Stopping an unhealthy one': {
    'agent restarted': '1 Stopping? (LivenessProbeFailed)',
    stopped: '2 Preparing + LivenessProbeFailed',
    'step failed': '1 Stopping (LivenessProbeFailed), waits',
    'step hopeless': '2 Preparing + LivenessProbeFailed',
  },
  Ended: { 'told to go': 'Removed', 'remove failed': '1 Succeeded, waits' },
  Removed: {},
}

function show(state: AgentTask, before: AgentTask): string {
  const { phase, attempt, ready, reasons } = statusOf(state)
  const { life } = state
  if (life.phase === 'Removed') return 'Removed'
  const codes = [unwell, unready].filter(({ code }) => reasons.some((reason) => reason.code === code)).map(({ code }) => ` (${code})`)
  const parts = [`${attempt} ${phase}${life.phase === 'Recovering' ? '?' : ''}${codes.join('')}`]
  if ('startup' in life && life.startup === 'passed') parts.push('startup passed')
  if (ready) parts.push('ready')
  if (state.until !== null) parts.push('waits')
  if (state.records.length === before.records.length) return parts.join(', ')
  const reason = state.records.at(-1)?.reason
  return `${parts.join(', ')} + ${reason === unwell.code ? reason : 'record'}`
}

describe('every phase meets every event', () => {
  const pairs = Object.keys(LIVES).flatMap((life) => Object.keys(EVENTS).map((event) => [life as LifeName, event as EventName] as const))

  it.each(pairs)('%s: %s', (life, event) => {
    const before: AgentTask = { ...fresh, life: LIVES[life] }
    const after = onResult(before, EVENTS[event], NOW)
    expect(show(after, before)).toBe(CHANGES[life][event] ?? show(before, before))
  })

  it.each(Object.keys(LIVES) as LifeName[])('%s has one next step, and none needs more than the state', (life) => {
    const steps: Record<LifeName, string> = {
      Preparing: 'prepare',
      Starting: 'start',
      'Recovering, was Starting': 'recover',
      'Recovering, was Running': 'recover',
      'Recovering, was Stopping': 'recover',
      'Recovering, was Stopping an unhealthy one': 'recover',
      Running: 'wait',
      'Running, ready': 'wait',
      'Running, unready': 'wait',
      Stopping: 'stop',
      'Stopping an unhealthy one': 'stop',
      Ended: 'idle',
      Removed: 'forget',
    }
    expect(nextStep({ ...fresh, life: LIVES[life] }, NOW).type).toBe(steps[life])
    expect(nextStep({ ...fresh, life: LIVES[life], until: NOW + 1 }, NOW)).toEqual({ type: 'backOff', until: NOW + 1 })
    expect(nextStep({ ...fresh, life: LIVES[life], until: NOW }, NOW).type).toBe(steps[life])
  })
})

describe('the restart policy', () => {
  const exiting = (state: Partial<AgentTask>, ended: ReturnType<typeof exit>) => {
    const running: AgentTask = { ...fresh, everStarted: true, life: LIVES.Running, ...state }
    return onResult(running, { type: 'exited', exit: ended, lastLines: [] }, NOW)
  }
  const cases: readonly [string, AgentTask['rule']['restartPolicy'], number | null, ReturnType<typeof exit>, string, number][] = [
    ['Always, exit 0: again, and nobody failed', 'Always', 0, exit(0, 'Completed'), 'Preparing', 0],
    ['Always, exit 1: again', 'Always', null, exit(1), 'Preparing', 1],
    ['Always, exit 1, none left: failed', 'Always', 0, exit(1), 'Failed', 1],
    ['OnFailure, exit 0: done', 'OnFailure', 6, exit(0, 'Completed'), 'Succeeded', 0],
    ['OnFailure, exit 1: again', 'OnFailure', 6, exit(1), 'Preparing', 1],
    ['OnFailure, exit 1, none left: failed', 'OnFailure', 0, exit(1), 'Failed', 1],
    ['OnFailure, nobody knows: again', 'OnFailure', 1, exit(null, 'LostUnknownExit'), 'Preparing', 1],
    ['OnFailure, nobody knows, none left: lost', 'OnFailure', 0, exit(null, 'LostUnknownExit'), 'Lost', 1],
    ['D1: OnFailure, the runtime restarted: again, though none is left', 'OnFailure', 0, exit(137, 'RuntimeRestart'), 'Preparing', 0],
    ['A2: OnFailure, the host rebooted: again, though none is left', 'OnFailure', 0, exit(null, 'HostReboot'), 'Preparing', 0],
    ['Never, exit 0: done', 'Never', 3, exit(0, 'Completed'), 'Succeeded', 0],
    ['Never, exit 1: failed', 'Never', 3, exit(1), 'Failed', 1],
    ['Never, killed: failed', 'Never', 3, exit(null, 'Error', 'SIGKILL'), 'Failed', 1],
    ['Never, the host rebooted: lost, not run again', 'Never', 3, exit(null, 'HostReboot'), 'Lost', 0],
  ]
  it.each(cases)('%s', (_name, restartPolicy, maxRestarts, ended, phase, failures) => {
    const state = exiting({ rule: { restartPolicy, maxRestarts } }, ended)
    expect(statusOf(state)).toMatchObject({ phase, failures, attempt: phase === 'Preparing' ? 2 : 1 })
    expect(state.records).toEqual([{ ...ended, attempt: 1, message: null }])
  })

  it('starts again at once the first time, then backs off and says until when', () => {
    const first = exiting({}, exit(1))
    expect(statusOf(first)).toMatchObject({ backoffUntil: null, reasons: [{ code: 'Restarting' }] })
    const second = exiting({ ends: 1 }, exit(1))
    expect(statusOf(second)).toMatchObject({
      backoffUntil: NOW + 10_000,
      reasons: [{ code: 'BackOff', message: 'attempt 1 ended: Error, exit code 1', count: 2 }],
    })
  })

  it('forgets the back-off after ten calm minutes', () => {
    const calm = exiting({ ends: 9 }, { ...exit(1), startedAt: NOW - 600_000 })
    expect(statusOf(calm).backoffUntil).toBeNull()
    const restless = exiting({ ends: 9 }, { ...exit(1), startedAt: NOW - 599_999 })
    expect(statusOf(restless).backoffUntil).toBe(NOW + 300_000)
  })

  it('keeps the last twenty records', () => {
    const records = Array.from({ length: 20 }, (_, index) => ({ ...exit(1), attempt: index + 1, message: null }))
    const state = exiting({ attempt: 21, records }, exit(1))
    expect(state.records.map((record) => record.attempt)).toEqual(Array.from({ length: 20 }, (_, index) => index + 2))
  })
})

describe('a probe that fails', () => {
  const running = (more: Partial<AgentTask> = {}): AgentTask => ({ ...fresh, everStarted: true, life: LIVES['Running, ready'], ...more })
  const apply = (state: AgentTask, ...events: TaskEvent[]) => events.reduce((now, event) => onResult(now, event, NOW), state)
  const unhealthy: TaskEvent = { type: 'unhealthy', reason: unwell, lastLines: ['deadlock'] }
  const stoppedWith = (code: number, lastLines: string[] = []): TaskEvent => ({ type: 'stopped', exit: exit(code), lastLines })

  it('keeps it running, not ready, with the reason and its last words, until it is ready again', () => {
    const failing = apply(running(), EVENTS.unready)
    expect(statusOf(failing)).toMatchObject({ phase: 'Running', attempt: 1, ready: false, reasons: [unready], lastLines: ['oh'] })
    expect(nextStep(failing, NOW)).toMatchObject({ type: 'wait', known: { startup: 'passed', ready: false, unready } })
    expect(statusOf(apply(failing, { type: 'ready' }))).toMatchObject({ ready: true, reasons: [], lastLines: [] })
  })

  it.each(['Always', 'OnFailure'] as const)('restarts in place as a failure even when it ends with 0: %s', (restartPolicy) => {
    const stopping = apply(running({ rule: { restartPolicy, maxRestarts: 1 } }), unhealthy)
    expect(nextStep(stopping, NOW)).toMatchObject({ type: 'stop', by: 'itself' })
    expect(statusOf(stopping)).toMatchObject({ phase: 'Stopping', ready: false, reasons: [unwell], lastLines: ['deadlock'] })
    const again = apply(stopping, { type: 'stopped', exit: exit(0, 'Completed'), lastLines: ['deadlock', 'TERM'] })
    expect(statusOf(again)).toMatchObject({
      phase: 'Preparing',
      attempt: 2,
      failures: 1,
      reasons: [{ code: 'Restarting', message: 'attempt 1 ended: LivenessProbeFailed (status 503), exit code 0' }],
      attempts: [{ attempt: 1, exitCode: 0, reason: 'LivenessProbeFailed', message: 'status 503' }],
      lastLines: ['deadlock', 'TERM'],
    })
    expect(again.records).toHaveLength(1)
  })

  it('backs off, and ends as failed when no restart is left or none is allowed', () => {
    expect(statusOf(apply(running({ ends: 1 }), unhealthy, stoppedWith(0))).backoffUntil).toBe(NOW + 10_000)
    for (const rule of [{ restartPolicy: 'OnFailure', maxRestarts: 0 } as const, { restartPolicy: 'Never', maxRestarts: null } as const]) {
      const over = apply(running({ rule }), unhealthy, { ...stoppedWith(0), exit: exit(null, 'LostUnknownExit') } as TaskEvent)
      expect(statusOf(over)).toMatchObject({ phase: 'Failed', failures: 1, reasons: [{ code: 'LivenessProbeFailed' }] })
    }
  })

  it('is no failure any more when an order to stop comes meanwhile', () => {
    const stop: TaskEvent = { type: 'assigned', desired: 'stop', rule }
    const over = apply(running(), unhealthy, stop, stoppedWith(143, ['bye']))
    expect(statusOf(over)).toMatchObject({ phase: 'Stopped', failures: 0, reasons: [], attempts: [{ reason: 'Stopped', message: null }] })
  })

  it('says why after an agent was killed in the middle of the stop, and keeps the words from before', () => {
    const recovering = apply(running(), unhealthy, { type: 'agentRestarted' })
    expect(statusOf(recovering)).toMatchObject({ phase: 'Stopping', reasons: [unwell] })
    for (const end of [[{ type: 'goneMissing' }], [{ type: 'attached', ref: 'r' }, stoppedWith(143)]] satisfies TaskEvent[][])
      expect(statusOf(apply(recovering, ...end))).toMatchObject({
        attempt: 2,
        failures: 1,
        attempts: [{ reason: 'LivenessProbeFailed' }],
        lastLines: ['deadlock'],
      })
  })

  it('of startup is not asked again after an agent restarted', () => {
    const started = apply(running({ life: LIVES.Running }), { type: 'startupPassed' }, { type: 'agentRestarted' }, EVENTS.attached)
    expect(nextStep(started, NOW)).toMatchObject({ type: 'wait', known: { startup: 'passed', ready: false } })
  })
})

describe('what has ended, but for processes that do not die', () => {
  const running: AgentTask = {
    ...fresh,
    rule: { restartPolicy: 'OnFailure', maxRestarts: 0 },
    everStarted: true,
    life: LIVES['Running, ready'],
  }
  const stuck = onResult(running, EVENTS.stuck, NOW)

  it('A7: is not over, says so, and is stopped until they are gone', () => {
    expect(statusOf(stuck)).toMatchObject({ phase: 'Stopping', ready: false, attempts: [], reasons: [{ code: 'Stuck' }] })
    expect(nextStep(stuck, (stuck.until ?? 0) + 1)).toMatchObject({ type: 'stop', by: 'itself' })
    const still = onResult(stuck, { type: 'stepFailed', failure: { ...away, code: 'Stuck' } }, NOW)
    expect(statusOf(still)).toMatchObject({ phase: 'Stopping', reasons: [{ code: 'Stuck', count: 2 }] })
  })

  it.each([
    [exit(0, 'Completed'), 'Succeeded', 'Completed'],
    [exit(3), 'Failed', 'Error'],
  ])('A7: then ends as it had ended by itself: %j', (ended, phase, reason) => {
    const state = onResult(stuck, { type: 'stopped', exit: ended, lastLines: [] }, NOW)
    expect(statusOf(state)).toMatchObject({ phase, attempts: [{ exitCode: ended.exitCode, reason }] })
  })

  it('A7: ends as stopped when that is wanted by then', () => {
    const state = onResult(onResult(stuck, EVENTS['told to stop'], NOW), EVENTS.stopped, NOW)
    expect(statusOf(state)).toMatchObject({ phase: 'Stopped', attempts: [{ reason: 'Stopped' }] })
  })
})

describe('last words and images', () => {
  const running: AgentTask = { ...fresh, lastLines: ['old'], life: LIVES.Running }
  const ending = (event: TaskEvent, desired: Desired = 'run') => statusOf(onResult({ ...running, desired }, event, NOW)).lastLines

  it('are those of the newest attempt that failed', () => {
    expect(ending({ type: 'exited', exit: exit(1), lastLines: ['new'] })).toEqual(['new'])
    expect(ending({ type: 'exited', exit: exit(1), lastLines: [] })).toEqual([])
    expect(ending({ type: 'exited', exit: exit(0, 'Completed'), lastLines: ['done'] })).toEqual(['old'])
    expect(ending({ type: 'exited', exit: exit(143), lastLines: ['told to'] }, 'stop')).toEqual(['old'])
  })

  it('are shown from the preparation on, and the first resolution stays for all attempts', () => {
    const once = onResult(fresh, EVENTS.prepared, NOW)
    expect(statusOf(once).images).toEqual({ main: 'web@sha256:1' })
    const again = onResult({ ...once, attempt: 2, life: LIVES.Preparing }, { type: 'prepared', images: { main: 'web@sha256:2' } }, NOW)
    expect(statusOf(again).images).toEqual({ main: 'web@sha256:1' })
  })
})

describe('failing calls', () => {
  it('take longer each time, and count as nobody’s failure', () => {
    let state: AgentTask = fresh
    const waits: number[] = []
    for (let tries = 0; tries < 8; tries += 1) {
      state = onResult(state, { type: 'prepareFailed', failure: away }, NOW)
      waits.push(((state.until ?? NOW) - NOW) / 1000)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    expect(statusOf(state)).toMatchObject({
      attempt: 1,
      failures: 0,
      attempts: [],
      reasons: [{ code: 'Away', message: 'not now', count: 8 }],
    })
  })

  it('that are hopeless after a first start make it failed, not rejected', () => {
    const state = onResult({ ...fresh, everStarted: true }, { type: 'prepareFailed', failure: hopeless }, NOW)
    expect(statusOf(state)).toMatchObject({ phase: 'Failed', reasons: [{ code: 'ImageNotFound', message: 'never' }] })
  })

  it('do not carry a page of text into every status', () => {
    const long = { retryable: true, code: 'Away', message: 'x'.repeat(10_000) }
    const [reason] = statusOf(onResult(fresh, { type: 'prepareFailed', failure: long }, NOW)).reasons
    expect(reason?.message).toHaveLength(500)
  })
})

describe('what is left on the machine', () => {
  const leftovers = (count: number) => Array.from({ length: count }, (_, index) => ({ attempt: index + 1, ref: `r${index}`, stuck: false }))

  it('is removed oldest first when it grows, before the next attempt is prepared', () => {
    const state = { ...fresh, attempt: 9, until: NOW + 10_000, leftovers: leftovers(LEFTOVERS_KEPT + 1) }
    expect(nextStep(state, NOW)).toEqual({ type: 'remove', attempt: 1 })
    const fewer = onResult(state, { type: 'removed', attempt: 1 }, NOW)
    expect(nextStep(fewer, NOW)).toEqual({ type: 'backOff', until: NOW + 10_000 })
  })

  it('does not keep the next attempt waiting when it cannot be removed', () => {
    const state = { ...fresh, attempt: 9, leftovers: leftovers(LEFTOVERS_KEPT + 1) }
    const stuck = onResult(state, { type: 'removeFailed', attempt: 1, failure: away }, NOW)
    expect(nextStep(stuck, NOW)).toEqual({ type: 'prepare' })
    expect(stuck.leftovers).toHaveLength(LEFTOVERS_KEPT + 1)
  })

  it('goes all of it, stuck or not, before the task is forgotten', () => {
    const stuck = leftovers(2).map((one) => ({ ...one, stuck: true }))
    let state: AgentTask = { ...fresh, attempt: 3, leftovers: stuck, life: LIVES.Ended }
    state = onResult(state, { type: 'assigned', desired: 'gone', rule }, NOW)
    expect(nextStep(state, NOW)).toEqual({ type: 'remove', attempt: 1 })
    state = onResult(state, { type: 'removed', attempt: 1 }, NOW)
    expect(nextStep(state, NOW)).toEqual({ type: 'remove', attempt: 2 })
    state = onResult(state, { type: 'removed', attempt: 2 }, NOW)
    expect(nextStep(state, NOW)).toEqual({ type: 'forget' })
  })
})

describe('a new task', () => {
  it.each([
    ['run', null, 'prepare'],
    ['stop', null, 'idle'],
    ['gone', null, 'forget'],
    ['run', 4, 'recover'],
    ['stop', 4, 'recover'],
  ] as [Desired, number | null, string][])('wanted: %s, found on the machine: %s -> %s', (desired, found, step) => {
    const state = initialState({ task: 't' as TaskId, rule, desired, found })
    expect(nextStep(state, NOW).type).toBe(step)
    expect(state.attempt).toBe(found ?? 1)
  })

  it('never wants more than it was last told', () => {
    const stopped = onResult(fresh, { type: 'assigned', desired: 'stop', rule }, NOW)
    expect(onResult(stopped, { type: 'assigned', desired: 'run', rule }, NOW)).toBe(stopped)
  })
})
