import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { removeDurably, syncFolder, writeDurably } from '../src/lib/durable-file.ts'
import { hasCode, messageOf } from '../src/lib/errors.ts'
import type { TaskId } from '../src/model/ids.ts'
import { AgentNotesSchema, type Journal, type JournalEntry, JournalEntrySchema, NEW_AGENT } from './journal.ts'

/** How `writeDurably` calls a file that is not yet whole. */
const DRAFT = '.tmp'

/**
 * One JSON file a task under `directory`, which only its owner may enter. A file that cannot be read as an entry
 * is moved to `damaged/` and reported: one torn file must not keep the others from being adopted.
 */
export async function createFileJournal(directory: string): Promise<Journal> {
  const tasks = join(directory, 'tasks')
  const notes = join(directory, 'notes.json')
  for (const folder of [directory, tasks, join(directory, 'damaged')]) await mkdir(folder, { recursive: true, mode: 0o700 })
  await removeDrafts(tasks)
  const fileOf = (task: TaskId): string => join(tasks, `${task}.json`)
  const inTurn = createTurns()

  return {
    async load() {
      const damaged: string[] = []
      const agent = await readOr({ path: notes, parse: (value) => AgentNotesSchema.parse(value), damaged, directory })
      const entries: JournalEntry[] = []
      for (const name of (await readdir(tasks)).filter((file) => !file.endsWith(DRAFT)).sort()) {
        const entry = await readTaskFile({ path: join(tasks, name), damaged, directory })
        if (entry !== null) entries.push(entry)
      }
      return { agent: agent ?? NEW_AGENT, entries, damaged }
    },
    save: (entry) => inTurn(entry.state.task, () => writeDurably(fileOf(entry.state.task), JSON.stringify(entry))),
    forget: (task) => inTurn(task, () => removeDurably(fileOf(task))),
    saveAgent: (value) => inTurn('', () => writeDurably(notes, JSON.stringify(value))),
  }
}

/** Two writes of one file would share a draft, so they take turns; different files do not wait for each other. */
function createTurns(): (key: string, work: () => Promise<void>) => Promise<void> {
  const last = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work)
    last.set(key, mine)
    try {
      await mine
    } finally {
      if (last.get(key) === mine) last.delete(key)
    }
  }
}

interface Reading {
  readonly path: string
  readonly damaged: string[]
  readonly directory: string
}

/** A draft at the start is a write that never finished, so what it announced never came true. */
async function removeDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.endsWith(DRAFT)) await rm(join(folder, name), { force: true })
}

async function readTaskFile(reading: Reading): Promise<JournalEntry | null> {
  return await readOr({
    ...reading,
    parse: (value) => {
      const entry = JournalEntrySchema.parse(value)
      if (`${entry.state.task}.json` !== basename(reading.path)) throw new Error(`holds task ${entry.state.task}`)
      return entry
    },
  })
}

async function readOr<T>({ path, parse, damaged, directory }: Reading & { parse: (value: unknown) => T }): Promise<T | null> {
  try {
    return parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    const aside = join(directory, 'damaged', basename(path))
    await rename(path, aside)
    await syncFolder(join(directory, 'damaged'))
    damaged.push(`${aside}: ${messageOf(error)}`)
    return null
  }
}
