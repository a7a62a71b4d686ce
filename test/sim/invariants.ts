/** What a checker watches over. `inv`: the invariants of the failure catalogue that it is for; none: a promise of rollouts or batch work. */
interface Promised {
  readonly inv: readonly number[]
  readonly says: string
}

/** Every promise that a finding may name. */
export const INVARIANTS = {
  EpochNeverFalls: { inv: [1], says: 'whoever was elected last is the last who writes' },
  OneLeader: { inv: [1], says: 'no two live processes believe that they lead' },
  EpochRemembered: { inv: [1], says: 'an agent greets with no lower epoch than before, as long as its state directory lives' },
  AppliedOnce: { inv: [2], says: 'no turn of a leader is applied twice, and none after a later one' },
  VerdictIsTrue: { inv: [2], says: 'what a leader is told was committed is in the store' },
  MemoryIsStore: { inv: [3], says: "at rest the leader's memory says what the store says" },
  StopIsOrdered: { inv: [4, 13], says: 'no machine stops a task that is wanted, whatever it was told or could not reach' },
  LostIsSilent: {
    inv: [5],
    says: 'no task counts as lost with its machine before the machine was silent for as long as was promised, to this leader',
  },
  ReplacedIsSilent: { inv: [5], says: 'no service is replaced before this leader led, and its machine was silent, for as long as it says' },
  StormSpares: { inv: [5], says: 'nothing is replaced while so many machines fell silent that nothing may be' },
  GivesUpFirst: { inv: [8], says: 'what a live agent must give up by itself runs there no more when it is replaced' },
  OneStartPerAttempt: { inv: [6], says: 'no attempt starts twice' },
  StartIsCommitted: { inv: [6], says: 'nothing starts on a machine that the store did not give it to' },
  NeverTwoRunning: { inv: [6], says: 'no two attempts of a task run at the same time, on one machine or on two' },
  ComesToRest: { inv: [7], says: 'once nothing disturbs, every attempt, run, rollout and removal comes to its end, and git is followed' },
  CoreGetsOn: { inv: [7], says: 'a healed core gets on while the rest stays broken: it leads, obeys, tells, and runs what is new' },
  ExclusiveIsAlone: { inv: [8], says: 'of an exclusive run no number has two attempts running' },
  TerminalIsFinal: { inv: [9], says: 'what has ended does not change' },
  AttemptsGrow: { inv: [9], says: 'the attempt of a task never falls' },
  PhaseNeverFalls: { inv: [9], says: 'inside an attempt the phase never goes back' },
  OneTerminalRecord: { inv: [9], says: 'of an attempt there is one record of its end, which never changes' },
  DesiredForward: { inv: [9], says: 'what is told to stop is never told to run again' },
  PlacedOnce: { inv: [9], says: 'a task never moves to another machine' },
  ExitIsTrue: { inv: [12], says: 'the exit that is told is the one that happened, through full disks too' },
  RemovalIsMeant: {
    inv: [14, 16],
    says: 'nothing is removed but by a revision that is whole, does not name it, and stays inside the budget, or by a person',
  },
  AppliedIsCommitted: { inv: [15], says: 'what is applied is what that commit defines' },
  AppliedIsResolved: { inv: [15], says: 'the revision that is applied is the one that git resolved to in this cycle' },
  TemplateIsStable: { inv: [15], says: 'the same template is the same digest, another template another one' },
  StopHasCause: { inv: [16], says: 'no task of what git wants is stopped without a cause' },
  OwnedIsInventory: { inv: [17], says: 'at rest Drover owns what git names, and what it says that it holds back' },
  NoOrphans: { inv: [13], says: 'at rest nothing runs or is left behind on a machine that the store does not know there' },
  ReadyIsTrue: { inv: [], says: 'what is said to be ready was ready on its machine before that' },
  AvailabilityKept: { inv: [], says: "Drover's own stops never take more than maxUnavailable" },
  NeverAboveSurge: { inv: [], says: "Drover's own starts never come to more than maxSurge" },
  QuarantineHonoured: { inv: [], says: 'quarantined inputs get no new task' },
  RolloutForward: { inv: [], says: 'a rollout moves as its table says' },
  NewestRolloutWins: { inv: [], says: 'only the newest rollout of a workload is under way' },
  NoFlapping: { inv: [], says: 'what went back by itself does not come again by itself' },
  CanaryBeside: { inv: [], says: 'while canaries are tried, what serves is not touched' },
  AtomicTogether: { inv: [], says: 'what an atomic revision brought goes back with it' },
  RunEndsOnce: { inv: [], says: 'a run ends once, and gets no task after that' },
  OncePerSpec: { inv: [], says: 'a Job with runPolicy OncePerSpec runs once for a template' },
  SlotOnce: { inv: [], says: 'a slot of a CronJob has one run, whoever leads and whatever clocks say' },
  CompletedOnce: { inv: [], says: 'no number of a run succeeds twice' },
  NothingBreaks: { inv: [], says: "no assumption of the product's own breaks" },
} as const satisfies Readonly<Record<string, Promised>>

export type InvariantName = keyof typeof INVARIANTS

/** Those that a virtual machine without processes, kernels and logs keeps by construction, and the tests that show them on real ones. */
export const SHOWN_ELSEWHERE: Readonly<Record<number, string>> = {
  10: 'test/runtime/process/pids-reused.test.ts',
  11: 'test/runtime/process/driver.test.ts',
}

/** `INV-4, INV-13 StopIsOrdered`. */
export function nameOf(name: InvariantName): string {
  return [...INVARIANTS[name].inv.map((number) => `INV-${number}`)].join(', ').concat(INVARIANTS[name].inv.length === 0 ? name : ` ${name}`)
}
