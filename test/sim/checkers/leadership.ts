import type { Leadership } from '../../../src/store/store.ts'
import type { MakeChecker } from '../checker.ts'
import type { Incarnation } from '../incarnation.ts'

/** INV-1: whoever was elected last is the last who writes; and no two live processes believe that they lead. */
export const leadershipChecker: MakeChecker = ({ findings, now }) => {
  const terms: { by: Incarnation; leadership: Leadership }[] = []
  let highest = 0
  const believes = ({ by, leadership }: { by: Incarnation; leadership: Leadership }): boolean =>
    by.alive && !leadership.signal.aborted && leadership.validUntil() > now()
  return {
    leads(by, leadership) {
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
