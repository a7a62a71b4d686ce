import { expect, it } from 'vitest'
import { Findings } from './findings.ts'
import { HistoryChecks } from './history-checks.ts'

/** What the checks find in a history; each change has the revision of its place in it, and `leader` a new epoch. */
function found(...changes: readonly (readonly [key: string, value: object | null])[]): string[] {
  const findings = new Findings(() => undefined)
  const checks = new HistoryChecks(findings)
  for (const [index, [key, value]] of changes.entries()) {
    const revision = index + 1
    checks.see({ key, value: value === null ? null : JSON.stringify(value), revision, createRevision: revision })
  }
  return findings.all.map(({ rule }) => rule)
}

const LEADS = ['leader', { url: 'https://m1' }] as const
const GONE = ['leader', null] as const
const task = (of: object) => ['tasks/web-1', { desired: 'run', agent: 'm1', generation: 1, ...of }] as const
const observed = (of: object) => ['observed/web-1', { phase: 'Running', attempt: 1, attempts: [], ...of }] as const
const run = (id: string, of: object) => [`runs/${id}`, { phase: 'Running', slot: null, trigger: 'Sync', attempts: [], ...of }] as const
const end = (exitCode: number) => ({ attempt: 1, exitCode, reason: 'Completed' })

it('finds nothing in a history as it should be', () => {
  const ended = observed({ phase: 'Succeeded', attempts: [end(0)] })
  const counted = run('a', { phase: 'Succeeded', attempts: [{ ...end(0), task: 'web-1', index: 0 }] })
  expect(found(LEADS, task({}), observed({}), GONE, LEADS, task({ desired: 'stop', generation: 2 }), ended, counted)).toEqual([])
})

it.each([
  ['EpochNeverFalls', [LEADS, GONE, task({})]],
  ['PlacedOnce', [LEADS, task({}), task({ agent: 'm2' })]],
  ['DesiredForward', [LEADS, task({ desired: 'stop' }), task({ desired: 'run' })]],
  ['DesiredForward', [LEADS, task({ generation: 2 }), task({ generation: 1 })]],
  ['AttemptsGrow', [LEADS, observed({ attempt: 2 }), observed({ attempt: 1 })]],
  ['TerminalIsFinal', [LEADS, observed({ phase: 'Lost' }), observed({ phase: 'Running' })]],
  ['OneTerminalRecord', [LEADS, observed({ attempts: [end(0)] }), observed({ attempts: [end(1)] })]],
  ['OneTerminalRecord', [LEADS, observed({ attempts: [end(0)] }), run('a', { attempts: [{ ...end(1), task: 'web-1', index: 0 }] })]],
  ['RunEndsOnce', [LEADS, run('a', { phase: 'Failed' }), run('a', { phase: 'Succeeded' })]],
  ['OneRunASlot', [LEADS, run('a', { slot: 60_000, trigger: 'Schedule' }), run('b', { slot: 60_000, trigger: 'Schedule' })]],
] as const)('finds that %s is broken', (rule, history) => {
  expect(found(...history)).toEqual([rule])
})

it('finds an epoch that was there before', () => {
  const findings = new Findings(() => undefined)
  const checks = new HistoryChecks(findings)
  checks.see({ key: 'leader', value: '{}', revision: 7, createRevision: 7 })
  checks.see({ key: 'leader', value: '{}', revision: 8, createRevision: 5 })
  expect(findings.all.map(({ rule }) => rule)).toEqual(['EpochNeverFalls'])
})
