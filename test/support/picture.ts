import type { Drover } from './drover.ts'

/** What runs of a workload and how it came to that: two alike mean that nothing was done in between. */
export interface Picture {
  readonly tasks: readonly { readonly id: string; readonly attempt: number; readonly inputsDigest: string }[]
  /** Newest first. */
  readonly rollouts: readonly { readonly id: string; readonly phase: string }[]
}

export async function pictureOf(drover: Drover, workload: string): Promise<Picture> {
  const tasks = (await drover.running(workload)).map(({ id, attempt, inputsDigest }) => ({ id, attempt, inputsDigest }))
  const rollouts = (await drover.rollouts(workload)).map(({ id, phase }) => ({ id, phase }))
  return { tasks: tasks.toSorted((a, b) => a.id.localeCompare(b.id)), rollouts }
}
