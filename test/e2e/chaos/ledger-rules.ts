import type { AttemptRecord } from '../../../src/model/task.ts'
import type { LedgerEntry } from '../../support/short-tasks.ts'

type Ledger = readonly LedgerEntry[]

/** A rule that the ledger shows broken, and by what. */
export interface Breach {
  readonly rule: string
  readonly message: string
}

/** The one end that Drover told of an attempt. */
export type EndOf = (task: string, attempt: number) => Pick<AttemptRecord, 'exitCode' | 'reason'> | undefined

/** What the tasks themselves wrote, against the rules and against what Drover says of them. */
export const breachesOf = (ledger: Ledger, endOf: EndOf): Breach[] => [
  ...doubleStarts(ledger),
  ...restarts(ledger.filter(isService)),
  ...wrongEnds(
    ledger.filter((entry) => !isService(entry)),
    endOf,
  ),
  ...overlaps(ledger.filter(({ task }) => task.startsWith('solo-'))),
]

const isService = ({ task }: LedgerEntry): boolean => /^(steady|rolling)-/.test(task)

/** INV-6. */
const doubleStarts = (ledger: Ledger): Breach[] =>
  ledger
    .filter(({ starts }) => starts !== 1)
    .map(({ task, attempt, starts }) => ({ rule: 'OneStartAnAttempt', message: `${task} ${attempt} was started ${starts} times` }))

/** An attempt that a crash kept from starting is followed by another; one that has run is not. */
function restarts(services: Ledger): Breach[] {
  const first = new Map<string, number>()
  for (const { task, attempt } of services) first.set(task, Math.min(attempt, first.get(task) ?? attempt))
  return services
    .filter(({ task, attempt }) => attempt !== first.get(task))
    .map(({ task, attempt }) => ({ rule: 'NothingRestarts', message: `${task} was started again, as attempt ${attempt}` }))
}

/** INV-7 and the truth of what is told: whoever has run has one record, of the end that it wrote itself. */
function wrongEnds(batch: Ledger, endOf: EndOf): Breach[] {
  return batch.flatMap(({ task, attempt, exitCode }) => {
    const end = endOf(task, attempt)
    if (end === undefined) return [{ rule: 'OneTerminalRecord', message: `nothing was recorded of the end of ${task} ${attempt}` }]
    if (exitCode === null || end.exitCode === exitCode) return []
    return [{ rule: 'ExitIsTrue', message: `${task} ${attempt} ended with ${exitCode}, and ${end.exitCode} (${end.reason}) was recorded` }]
  })
}

/** INV-8: two attempts of one index. One whose end nobody wrote cannot be judged. */
function overlaps(exclusive: Ledger): Breach[] {
  const sorted = exclusive.toSorted((a, b) => a.startedAt - b.startedAt)
  return sorted.flatMap(({ task, attempt, slot, endedAt }, index) => {
    const next = sorted.slice(index + 1).find((other) => other.slot === slot)
    if (next === undefined || endedAt === null || next.startedAt >= endedAt) return []
    return [{ rule: 'Exclusive', message: `${task} ${attempt} ran until ${endedAt}, and ${next.task} from ${next.startedAt}` }]
  })
}
