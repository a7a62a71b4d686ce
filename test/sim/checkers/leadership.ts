import type { Leadership, Txn } from '../../../src/store/store.ts'
import type { MakeChecker } from '../checker.ts'
import type { Incarnation } from '../incarnation.ts'

interface Term {
  readonly by: Incarnation
  readonly leadership: Leadership
}

/** INV-1: whoever was elected last is the last who writes; and no two live processes believe that they lead. */
export const leadershipChecker: MakeChecker = ({ findings, now }) => {
  let terms: Term[] = []
  let highest = 0
  const believes = ({ by, leadership }: Term): boolean => by.alive && !leadership.signal.aborted && leadership.validUntil() > now()
  return {
    leads(by, leadership) {
      terms = terms.filter(({ leadership: { signal }, by: process }) => process.alive && !signal.aborted)
      const other = terms.find((term) => believes(term))
      // Who hears of its election when its time is over believes nothing, and steps down at once.
      if (other !== undefined && believes({ by, leadership }))
        findings.report('OneLeader', `${by.name} was elected while ${other.by.name} believes that it leads`)
      terms.push({ by, leadership })
      highest = Math.max(highest, leadership.fence.epoch)
    },
    committed({ by, txn }) {
      const epoch = txn.fence?.epoch
      if (epoch !== undefined && epoch < highest)
        findings.report('EpochNeverFalls', `${by.name} wrote with epoch ${epoch} after epoch ${highest} was given`)
    },
  }
}

/** The mark that the committer puts into each transaction of a turn. */
interface Mark {
  readonly epoch: number
  readonly turn: number
}

function markOf({ then }: Txn): Mark | null {
  const op = then.find(({ key }) => key === 'turn')
  return op?.op === 'put' ? (JSON.parse(op.value) as Mark) : null
}

/** INV-2: a transaction of a leader is applied once, in order, and is there when the leader is told so. */
export const turnsChecker: MakeChecker = ({ findings }) => {
  const applied = new Map<number, number>()
  return {
    committed({ by, txn }) {
      const mark = markOf(txn)
      if (mark === null) return
      const before = applied.get(mark.epoch) ?? 0
      if (mark.turn <= before)
        findings.report('AppliedOnce', `${by.name} applied turn ${mark.turn} of epoch ${mark.epoch} after turn ${before}`)
      applied.set(mark.epoch, Math.max(before, mark.turn))
    },
    told(by, txn, { status }) {
      const mark = markOf(txn)
      if (mark === null || status !== 'Committed') return
      if ((applied.get(mark.epoch) ?? 0) < mark.turn)
        findings.report('VerdictIsTrue', `${by.name} was told that turn ${mark.turn} of epoch ${mark.epoch} is committed, and it is not`)
    },
  }
}
