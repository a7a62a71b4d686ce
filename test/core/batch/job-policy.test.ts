import { describe, expect, it } from 'vitest'
import { manualRun } from '../../../src/core/batch/by-hand.ts'
import type { JobSpec } from '../../../src/model/batch.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { Run } from '../../../src/model/records.ts'
import { attempt, digest, jobState, NOW, revision, workload } from '../../support/make.ts'
import { Decider, sorted } from '../decide.ts'
import { times } from './make.ts'

/** A Job whose history is told in words. */
class History {
  readonly decider: Decider
  #commits = 0

  constructor(policy: Partial<JobSpec>) {
    this.decider = new Decider(jobState({ backoffLimit: 0, ...policy }))
    this.decider.state = sorted({ ...this.decider.state, record: this.#record('A') })
    this.decider.decide()
  }

  #record(word: string) {
    this.#commits += 1
    return workload({
      ...this.decider.state.record,
      templateDigest: digest(word),
      inputsDigest: digest(word),
      revision: revision(`${this.#commits}`),
    })
  }

  /** Git says this template in a new commit, or does so again in the commit with this number. */
  says(word: string, commit: number | null = null): this {
    const record = this.#record(word)
    this.decider.state = sorted({
      ...this.decider.state,
      record: commit === null ? record : { ...record, revision: revision(`${commit}`) },
    })
    this.decider.decide()
    return this
  }

  ends(phase: 'Succeeded' | 'Failed'): this {
    const exitCode = phase === 'Succeeded' ? 0 : 1
    this.decider.say(String(this.decider.ids[0]), { phase, failures: exitCode, attempts: [attempt(1, exitCode)] })
    return this
  }

  asks(): this {
    const decided = manualRun(this.decider.state, { actor: 'ann', now: this.decider.now })
    if (decided.is === 'Refused') throw new Error(decided.why)
    this.decider.state = sorted({ ...this.decider.state, runs: [...this.decider.state.runs, decided.run] })
    this.decider.decide()
    return this
  }

  set(over: Partial<JobSpec>): this {
    const { version } = this.decider.state
    this.decider.state = sorted({ ...this.decider.state, version: { ...version, spec: { ...version.spec, ...over } } as typeof version })
    this.decider.decide()
    return this
  }

  /** Every run in order, by the letter of its template and what became of it. */
  get told(): string {
    const letters = new Map(['A', 'B', 'C'].map((word) => [digest(word) as string, word]))
    const end = ({ phase, reason, trigger }: Run): string => `${trigger === 'Manual' ? '*' : ''}${phase === 'Failed' ? reason : phase}`
    const told = this.decider.state.runs.map((run) => `${letters.get(run.templateDigest)}:${end(run)}`)
    return [...told, ...(this.decider.state.blocked === 'Yes' ? ['blocked'] : [])].join(' ')
  }
}

const OK = 'Succeeded' as const
type Policy = Pick<JobSpec, 'runPolicy' | 'onRevert'>
const POLICIES: Policy[] = (['OncePerSpec', 'OnChange', 'EveryRevision'] as const).flatMap((runPolicy) =>
  (['Skip', 'Run', 'Block'] as const).map((onRevert) => ({ runPolicy, onRevert })),
)
const name = ({ runPolicy, onRevert }: Policy): string => `${runPolicy}/${onRevert}`

/** One row a history; where the policies differ, by policy, and else what holds for all. */
const HISTORIES: [string, (history: History) => History, Record<string, string> & { all?: string }][] = [
  ['A succeeds, B succeeds', (job) => job.ends(OK).says('B').ends(OK), { all: 'A:Succeeded B:Succeeded' }],
  ['A goes on, B comes', (job) => job.says('B'), { all: 'A:Superseded B:Running' }],
  ['A fails, B comes', (job) => job.ends('Failed').says('B'), { all: 'A:BackoffLimitExceeded B:Running' }],
  [
    'A succeeds, B succeeds, A comes back in a new commit',
    (job) => job.ends(OK).says('B').ends(OK).says('A'),
    {
      '*/Skip': 'A:Succeeded B:Succeeded',
      '*/Run': 'A:Succeeded B:Succeeded A:Running',
      '*/Block': 'A:Succeeded B:Succeeded blocked',
      'EveryRevision/*': 'A:Succeeded B:Succeeded A:Running',
    },
  ],
  [
    'A succeeds, B succeeds, git is set back to the commit of A',
    (job) => job.ends(OK).says('B').ends(OK).says('A', 1),
    {
      '*/Skip': 'A:Succeeded B:Succeeded',
      '*/Run': 'A:Succeeded B:Succeeded A:Running',
      '*/Block': 'A:Succeeded B:Succeeded blocked',
    },
  ],
  [
    'A fails, B succeeds, A comes back',
    (job) => job.ends('Failed').says('B').ends(OK).says('A', 1),
    {
      '*/Skip': 'A:BackoffLimitExceeded B:Succeeded',
      '*/Run': 'A:BackoffLimitExceeded B:Succeeded A:Running',
      '*/Block': 'A:BackoffLimitExceeded B:Succeeded blocked',
    },
  ],
  [
    'A gave way to B, which succeeds, and comes back',
    (job) => job.says('B').ends(OK).says('A', 1),
    { all: 'A:Superseded B:Succeeded A:Running' },
  ],
  [
    'A succeeds, B goes on, A comes back',
    (job) => job.ends(OK).says('B').says('A', 1),
    {
      '*/Skip': 'A:Succeeded B:Superseded',
      '*/Run': 'A:Succeeded B:Superseded A:Running',
      '*/Block': 'A:Succeeded B:Superseded blocked',
    },
  ],
  [
    'A, B, A and B again, all of which succeed',
    (job) => {
      for (const [word, commit] of [
        ['B', 2],
        ['A', 1],
        ['B', 2],
      ] as const) {
        if (job.decider.ids.length > 0) job.ends(OK)
        job.says(word, commit)
      }
      return job
    },
    {
      '*/Skip': 'A:Succeeded B:Succeeded',
      '*/Run': 'A:Succeeded B:Succeeded A:Succeeded B:Running',
      '*/Block': 'A:Succeeded B:Succeeded',
    },
  ],
  [
    'git comes back, and onRevert is Block from then on',
    (job) => job.ends(OK).says('B').ends(OK).says('A', 1).set({ onRevert: 'Block' }),
    {
      '*/Skip': 'A:Succeeded B:Succeeded blocked',
      '*/Block': 'A:Succeeded B:Succeeded blocked',
      '*/Run': 'A:Succeeded B:Succeeded A:Running',
    },
  ],
  [
    'a person runs what is blocked, and git goes on and comes back',
    (job) => job.set({ onRevert: 'Block' }).ends(OK).says('B').ends(OK).says('A', 1).asks().ends(OK).says('A', 1),
    { all: 'A:Succeeded B:Succeeded A:*Succeeded' },
  ],
  ['a person runs the present one again', (job) => job.ends(OK).asks(), { all: 'A:Succeeded A:*Running' }],
  ['it is suspended before it ends', (job) => job.set({ suspend: true }), { all: 'A:Suspended' }],
  ['it is suspended, and goes on later', (job) => job.set({ suspend: true }).set({ suspend: false }), { all: 'A:Running' }],
  ['it is suspended, and B comes', (job) => job.set({ suspend: true }).says('B'), { all: 'A:Superseded B:Suspended' }],
  [
    'A is so old that it is buried, and comes back',
    (job) => {
      job.ends(OK)
      for (const word of times(30, (index) => `other ${index}`)) job.says(word).ends(OK)
      job.says('A', 1)
      expect(job.decider.state.runs[0]?.buriedAt).not.toBeNull()
      job.decider.state = {
        ...job.decider.state,
        runs: job.decider.state.runs.filter(({ templateDigest }) => templateDigest === digest('A')),
      }
      return job
    },
    { '*/Skip': 'A:Succeeded', '*/Run': 'A:Succeeded A:Running', '*/Block': 'A:Succeeded blocked' },
  ],
]

const expectedOf = (row: Record<string, string>, policy: Policy): string =>
  row.all ?? row[name(policy)] ?? row[`${policy.runPolicy}/*`] ?? row[`*/${policy.onRevert}`] ?? 'nothing is said'

describe.each(HISTORIES)('%s', (_, tell, row) => {
  it.each(POLICIES)('$runPolicy, on revert $onRevert', (policy) => {
    expect(tell(new History(policy)).told).toBe(expectedOf(row, policy))
  })
})

describe('each commit', () => {
  const again = (runPolicy: JobSpec['runPolicy']) => new History({ runPolicy, onRevert: 'Skip' }).ends(OK).says('A').told

  it('is a run of its own for EveryRevision, and for nothing else', () => {
    expect(again('EveryRevision')).toBe('A:Succeeded A:Running')
    expect(again('OnChange')).toBe('A:Succeeded')
    expect(again('OncePerSpec')).toBe('A:Succeeded')
  })

  it('names its run', () => {
    const { decider } = new History({ runPolicy: 'EveryRevision' }).ends(OK).says('A')
    const names = decider.state.runs.map(({ id }) => id)
    expect(names).toEqual(['1', '2'].map((commit) => `default.migrate-${digest('A').slice(0, 10)}-${revision(commit).slice(-40, -32)}`))
  })
})

describe('a Job that is removed', () => {
  it('does not run again what came to an end when it returns, and runs again what did not', () => {
    const { decider } = new History({ runPolicy: 'OncePerSpec' })
    decider.say(String(decider.ids[0]), { phase: 'Running' })
    const { record } = decider.state
    decider.state = { ...decider.state, record: { ...record, wanted: false } }
    decider.decide().say('migrate-1' as TaskId, { phase: 'Stopped' })
    expect(decider.runs.get(String(decider.state.runs[0]?.id))).toMatchObject({ phase: 'Failed', reason: 'Removed', finishedAt: NOW })
    decider.state = sorted({ ...decider.state, record: { ...record, wanted: true } })
    expect(decider.decide().ids).toHaveLength(1)
  })
})
