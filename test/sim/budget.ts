import type { RepoModel } from './manifests.ts'

/** What `SyncPolicy` says when no App document is there. */
const DEFAULT = { count: 3, percent: 30 }

/** How many of `owned` workloads a revision may remove by itself. */
export function deletionBudget({ budget }: RepoModel, owned: number): number {
  const { count, percent } = budget ?? DEFAULT
  return Math.max(count, Math.floor((owned * percent) / 100))
}
