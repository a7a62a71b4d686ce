import { describe, expect, it } from 'vitest'
import { type Claim, decide, type Finding, RULES } from '../../../runtime/drivers/process/recovery.ts'

const SHIM: Claim = { by: 'shim', shim: { pid: 7, startTime: '1', boot: 'b' } }
const gone: Finding = {
  claim: SHIM,
  exitCode: null,
  sameBoot: true,
  hasPid: true,
  taskAlive: false,
  shimAlive: false,
  silentMs: 0,
}

describe('what an agent makes of an attempt it finds', () => {
  it.each<[string, Partial<Finding>, object]>([
    ['an exit code is the end, whatever else is there', { exitCode: 3, taskAlive: true }, { state: 'ended', exitCode: 3 }],
    ['an exit code outlives a reboot', { exitCode: 0, sameBoot: false }, { state: 'ended', exitCode: 0 }],
    ['the task lives', { taskAlive: true, shimAlive: true }, { state: 'running' }],
    ['the task lives without its shim', { taskAlive: true }, { state: 'running' }],
    ['the task is gone, the shim is about to write', { shimAlive: true, silentMs: 99_999 }, { state: 'running' }],
    ['both are gone, just now', { silentMs: 1_999 }, { state: 'running' }],
    ['both are gone for two seconds', { silentMs: 2_000 }, { state: 'lost', reason: 'LostUnknownExit' }],
    ['nobody has claimed it', { claim: { by: 'nobody' }, hasPid: false }, { state: 'unclaimed' }],
    ['nobody had claimed it before the reboot', { claim: { by: 'nobody' }, hasPid: false, sameBoot: false }, { state: 'unclaimed' }],
    ['an agent has claimed it', { claim: { by: 'agent' }, hasPid: false }, { state: 'never-started' }],
    ['the shim has claimed it and is on its way', { hasPid: false, shimAlive: true }, { state: 'starting' }],
    ['the shim died before the task had a pid', { hasPid: false, silentMs: 2_000 }, { state: 'lost', reason: 'LostUnknownExit' }],
    ['a claim without a name waits', { claim: { by: 'unknown' }, hasPid: false, silentMs: 4_999 }, { state: 'starting' }],
    ['and is lost after five seconds', { claim: { by: 'unknown' }, hasPid: false, silentMs: 5_000 }, { state: 'lost' }],
    ['another boot', { sameBoot: false }, { state: 'lost', reason: 'HostReboot' }],
  ])('%s', (_, finding, verdict) => {
    expect(decide({ ...gone, ...finding })).toMatchObject(verdict)
  })

  it('has a rule for everything', () => {
    expect(RULES.at(-1)?.when(gone)).toBe(true)
  })
})
