import type { Identity } from './proc.ts'

/** Who made the claim file: that decides whether the attempt runs at all. */
export type Claim =
  | { readonly by: 'nobody' }
  | { readonly by: 'agent' }
  | { readonly by: 'shim'; readonly shim: Identity }
  /** Made, but its writer died before a word was in it; only a shim can, for an agent links a finished file. */
  | { readonly by: 'unknown' }

/** What is found of an attempt on disk and among the processes. */
export interface Finding {
  readonly claim: Claim
  readonly exitCode: number | null
  readonly sameBoot: boolean
  /** The task wrote down its own pid, so it ran or was about to. */
  readonly hasPid: boolean
  readonly taskAlive: boolean
  readonly shimAlive: boolean
  /** Since when this process has seen it without task, shim and exit code; milliseconds, 0 when it is not so. */
  readonly silentMs: number
}

export type Verdict =
  | { readonly state: 'unclaimed' | 'never-started' | 'starting' | 'running' }
  | { readonly state: 'ended'; readonly exitCode: number }
  | { readonly state: 'lost'; readonly reason: 'LostUnknownExit' | 'HostReboot' }

/** How long an exit code may still appear after task and shim are gone, and how long a nameless claim may fill. */
const GRACE_MS = 2_000
const NAMELESS_GRACE_MS = 5_000

const graceFor = (claim: Claim): number => (claim.by === 'unknown' ? NAMELESS_GRACE_MS : GRACE_MS)

interface Rule {
  /** What the rule stands for. */
  readonly name: string
  readonly when: (finding: Finding) => boolean
  readonly verdict: (finding: Finding) => Verdict
}

/** The first rule that applies decides; the order is the meaning. */
export const RULES: readonly Rule[] = [
  { name: 'an agent won the claim', when: (f) => f.claim.by === 'agent', verdict: () => ({ state: 'never-started' }) },
  { name: 'the exit code is on disk', when: (f) => f.exitCode !== null, verdict: (f) => ({ state: 'ended', exitCode: f.exitCode ?? 0 }) },
  { name: 'nobody has claimed it', when: (f) => f.claim.by === 'nobody', verdict: () => ({ state: 'unclaimed' }) },
  { name: 'the machine has booted since', when: (f) => !f.sameBoot, verdict: () => ({ state: 'lost', reason: 'HostReboot' }) },
  { name: 'the task lives', when: (f) => f.taskAlive, verdict: () => ({ state: 'running' }) },
  {
    name: 'task, shim and exit code are gone',
    when: (f) => !f.shimAlive && f.silentMs >= graceFor(f.claim),
    verdict: () => ({ state: 'lost', reason: 'LostUnknownExit' }),
  },
  { name: 'the shim has yet to write the exit code', when: (f) => f.hasPid, verdict: () => ({ state: 'running' }) },
  { name: 'the shim has yet to start the task', when: () => true, verdict: () => ({ state: 'starting' }) },
]

export function decide(finding: Finding): Verdict {
  const rule = RULES.find(({ when }) => when(finding))
  return rule?.verdict(finding) ?? { state: 'starting' }
}
