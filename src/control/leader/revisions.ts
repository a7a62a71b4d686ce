import { isOpen } from '../../core/returns.ts'
import type { RevisionRecord } from '../../model/records.ts'
import type { Cluster } from './cluster.ts'

/** The newest revision of which anything was applied; one that was refused as a whole changes nothing. */
export function newestApplied(app: string, cluster: Cluster): RevisionRecord | undefined {
  return cluster.revisionsOfApp(app).find((record) => record.outcome !== 'Rejected')
}

/** An atomic revision of which nobody knows yet whether it becomes healthy as a whole: its parts stand and fall together. */
export function isUnderWay(app: string, cluster: Cluster): boolean {
  const newest = newestApplied(app, cluster)
  return newest !== undefined && newest.deadlineAt !== null && isOpen(newest)
}
