import { expect, it } from 'vitest'
import type { LedgerEntry } from '../../support/short-tasks.ts'
import { breachesOf } from './ledger-rules.ts'

const entry = (task: string, of: Partial<LedgerEntry> = {}): LedgerEntry => ({
  task,
  attempt: 1,
  slot: 0,
  home: '/m1',
  starts: 1,
  startedAt: 10,
  endedAt: 13,
  exitCode: 0,
  ...of,
})

/** Drover told that everything ended well, but of what is in `untold`. */
const rulesBroken = (ledger: readonly LedgerEntry[], untold = ''): string[] =>
  breachesOf(ledger, (task) => (task === untold ? undefined : { exitCode: 0, reason: 'Completed' })).map(({ rule }) => rule)

it('lets pass what is as it should be', () => {
  const running = entry('steady-a', { endedAt: null, exitCode: null })
  const second = entry('rolling-a', { attempt: 2 })
  const solo = [entry('solo-a'), entry('solo-b', { startedAt: 13, endedAt: 16 }), entry('solo-c', { slot: 1 })]
  expect(rulesBroken([running, second, ...solo, entry('short-1-a')])).toEqual([])
})

it.each([
  ['OneStartAnAttempt', [entry('short-1-a', { starts: 2 })]],
  ['NothingRestarts', [entry('steady-a'), entry('steady-a', { attempt: 2 })]],
  ['ExitIsTrue', [entry('short-1-a', { exitCode: 3 })]],
  ['OneTerminalRecord', [entry('untold')]],
  ['Exclusive', [entry('solo-b', { startedAt: 12 }), entry('solo-c', { slot: 1, startedAt: 11 }), entry('solo-a')]],
])('sees that %s is broken', (rule, ledger) => {
  expect(rulesBroken(ledger, 'untold')).toEqual([rule])
})
