import { z } from 'zod'

/** Why something is not placed, waiting, held or refused: CamelCase code, a sentence, how many machines or tasks it counts. */
export const Reason = z.object({ code: z.string(), message: z.string(), count: z.number().int().default(1) })
export type Reason = z.infer<typeof Reason>

export const reasonOf = (code: string, message: string, count = 1): Reason => ({ code, message, count })

/** What the detail of a driver begins with where the machine's operator does not allow plain processes. */
export const PROCESSES_NOT_ALLOWED = 'ProcessesNotAllowed'

/** What it begins with while a runtime that was there does not answer: how its tasks are nobody can tell. */
export const RUNTIME_UNHEALTHY = 'RuntimeUnhealthy'

/** A machine that says so gets no new tasks: what they write would find no room. */
export const DISK_PRESSURE = 'DiskPressure'
