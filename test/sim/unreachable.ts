import type { WorkloadModel } from './manifests.ts'

/** What some of the workloads say of machines that fall silent; by name, so that it disturbs nothing else that a seed draws. */
const BY_NAME: Readonly<Record<string, object>> = {
  cache: { replaceAfterSeconds: 70, stopLocalAfterSeconds: 40 },
  feed: { stopLocalAfterSeconds: 35 },
  mail: { replaceAfterSeconds: 'Never' },
}

/** The part of a template; none where the workload says nothing. */
export function unreachableOf({ kind, name, mode }: Pick<WorkloadModel, 'kind' | 'name' | 'mode'>): { unreachable?: object } {
  const unreachable = kind === 'Deployment' && mode === 'Replicated' ? BY_NAME[name] : undefined
  return unreachable === undefined ? {} : { unreachable }
}
