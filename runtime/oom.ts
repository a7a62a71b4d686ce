import { writeFile } from 'node:fs/promises'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'

/** As Kubernetes gives its kubelet: of all that could be killed for lack of memory, last. */
const LAST = '-999'

/**
 * What every task begins with: as if it used a tenth of the machine's memory more than it does, so that the kernel takes a
 * task before Drover, Docker or any other daemon. To raise it is everybody's right.
 */
export const TASK_OOM_SCORE_ADJ = 100

/**
 * Asks the kernel to spare this process, and the launcher and shims that it starts, when memory runs out; tasks do not inherit
 * it. That takes CAP_SYS_RESOURCE; without it stays as it is.
 */
export async function spareFromOomKiller(log: Logger): Promise<void> {
  try {
    await writeFile('/proc/self/oom_score_adj', LAST, { flag: 'r+' })
  } catch (error) {
    log.debug({ error: messageOf(error) }, 'not spared when memory runs out')
  }
}
