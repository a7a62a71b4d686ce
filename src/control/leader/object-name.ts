import { parseWorkloadKey, type WorkloadKey } from '../../model/ids.ts'

/** A workload as events name it: `cronjob/NAMESPACE/NAME`. */
export function objectOf(workload: WorkloadKey): string {
  const { namespace, kind, name } = parseWorkloadKey(workload)
  return `${kind.toLowerCase()}/${namespace}/${name}`
}
