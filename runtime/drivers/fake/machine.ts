import { randomBytes } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { hasCode, nullOn } from '../../../src/lib/errors.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { FakeScript } from '../../../src/model/template.ts'
import type { AttemptRef } from '../../driver.ts'

/** All that is known of a pretended attempt; what it does follows from this and the time. */
export const FakeRecord = z.object({
  task: TaskId,
  attempt: z.number().int(),
  unit: z.string(),
  script: FakeScript.nullable(),
  /** Wall clock; null: a recovering agent took it, so it never starts. */
  startedAt: z.number().nullable(),
  stoppedAt: z.number().nullable(),
})
export type FakeRecord = z.infer<typeof FakeRecord>

/** The machine on which a fake driver pretends: it outlives the driver, as a machine outlives its agent. */
export interface FakeMachine {
  read(ref: AttemptRef): Promise<FakeRecord | null>
  /** False when the attempt is there already; of two at the same moment one wins. */
  create(record: FakeRecord): Promise<boolean>
  replace(record: FakeRecord): Promise<void>
  /** Already gone is success. */
  remove(ref: AttemptRef): Promise<void>
  list(): Promise<readonly FakeRecord[]>
}

export interface MemoryFakeMachine extends FakeMachine {
  /** How often the attempt really started since the machine was made, removed ones too. */
  starts(ref: AttemptRef): number
  /** The last state of every attempt that ever was on it, in order of creation. */
  history(): readonly FakeRecord[]
}

export const keyOf = (ref: AttemptRef): string => `${ref.task}.${ref.attempt}`

/** A machine for the simulator: it survives the simulated death of an agent and remembers every start. */
export function createMemoryFakeMachine(): MemoryFakeMachine {
  const present = new Map<string, FakeRecord>()
  const ever: FakeRecord[] = []
  const remember = (record: FakeRecord) => {
    const last = ever.findLastIndex((old) => keyOf(old) === keyOf(record))
    ever[last] = record
    present.set(keyOf(record), record)
  }
  return {
    read: async (ref) => present.get(keyOf(ref)) ?? null,
    create: async (record) => {
      if (present.has(keyOf(record))) return false
      ever.push(record)
      present.set(keyOf(record), record)
      return true
    },
    replace: async (record) => remember(record),
    remove: async (ref) => {
      present.delete(keyOf(ref))
    },
    list: async () => [...present.values()],
    starts: (ref) => ever.filter((record) => keyOf(record) === keyOf(ref) && record.startedAt !== null).length,
    history: () => [...ever],
  }
}

const SUFFIX = '.json'

/** A machine for the product: one file an attempt under `directory`. */
export function createFileFakeMachine(directory: string): FakeMachine {
  const pathOf = (ref: AttemptRef) => join(directory, `${keyOf(ref)}${SUFFIX}`)
  const writeAside = async (record: FakeRecord): Promise<string> => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const aside = join(directory, `.${keyOf(record)}.${randomBytes(4).toString('hex')}`)
    await writeFile(aside, JSON.stringify(record), { mode: 0o600 })
    return aside
  }
  const read = async (path: string): Promise<FakeRecord | null> => {
    const text = await readFile(path, 'utf8').catch(nullOn('ENOENT'))
    return text === null ? null : FakeRecord.parse(JSON.parse(text))
  }
  return {
    read: (ref) => read(pathOf(ref)),
    create: async (record) => {
      const aside = await writeAside(record)
      const made = await link(aside, pathOf(record)).then(() => true, orFalse('EEXIST'))
      await rm(aside, { force: true })
      return made
    },
    replace: async (record) => rename(await writeAside(record), pathOf(record)),
    remove: (ref) => rm(pathOf(ref), { force: true }),
    list: async () => {
      const names = (await readdir(directory).catch(nullOn('ENOENT'))) ?? []
      const files = names.filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.'))
      const records = await Promise.all(files.map((name) => read(join(directory, name))))
      return records.filter((record) => record !== null)
    },
  }
}

const orFalse =
  (code: string) =>
  (error: unknown): false => {
    if (hasCode(error, code)) return false
    throw error
  }
