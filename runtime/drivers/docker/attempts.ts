import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../../../src/lib/durable-file.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { AttemptRef } from '../../driver.ts'
import { folderMark } from '../../folder-mark.ts'
import { giveBackMemory, memoryFolder, removeFromMemory } from '../../memory-folder.ts'

/** `intended`: its container was told to start, or is just about to be. `abandoned`: it was promised that it never will. */
export type Mark = 'none' | 'intended' | 'abandoned'

/** What this driver keeps: on disk `<stateDir>/<task>/<attempt>/` and `<stateDir>/<task>/volumes/`, in memory the files of secrets. */
export interface Attempts {
  mark(ref: AttemptRef): Promise<Mark>
  /** On disk when it resolves. */
  setMark(ref: AttemptRef, mark: Mark): Promise<void>
  /** Folder of the attempt, made. */
  folder(ref: AttemptRef): Promise<string>
  /** Folder of the task's own volumes, which outlive an attempt; made. */
  volumes(task: TaskId): Promise<string>
  /** Folder of the attempt that never reaches a disk; made. @throws TerminalError on a machine without one */
  memory(ref: AttemptRef): Promise<string>
  /** The attempt's folder, and with the last attempt the task's. Already gone is success. */
  remove(ref: AttemptRef): Promise<void>
  list(): Promise<readonly AttemptRef[]>
  /** Leaves no empty folder in memory behind. */
  close(): Promise<void>
}

const MARKS: ReadonlySet<string> = new Set<Mark>(['none', 'intended', 'abandoned'])
const isMark = (text: string): text is Mark => MARKS.has(text)

export function createAttempts(stateDir: string): Attempts {
  const memory = `drover-docker-${folderMark(stateDir)}`
  const taskFolder = (task: TaskId): string => join(stateDir, task)
  const attemptFolder = (ref: AttemptRef): string => join(taskFolder(ref.task), String(ref.attempt))
  const made = async (folder: string): Promise<string> => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return folder
  }
  return {
    async mark(ref) {
      const text = await readFile(join(attemptFolder(ref), 'mark'), 'utf8').catch(orWhenAbsent(''))
      if (text === '') return 'none'
      // What cannot be read stands for the mark that promises least.
      return isMark(text) ? text : 'intended'
    },
    setMark: async (ref, mark) => writeDurably(join(await made(attemptFolder(ref)), 'mark'), mark),
    folder: (ref) => made(attemptFolder(ref)),
    memory: async (ref) => made(join(await memoryFolder(memory), ref.task, String(ref.attempt))),
    volumes: (task) => made(join(taskFolder(task), 'volumes')),
    async remove(ref) {
      await removeFromMemory(memory, join(ref.task, String(ref.attempt)))
      await rm(attemptFolder(ref), { recursive: true, force: true })
      const left = await attemptsIn(taskFolder(ref.task))
      if (left.length > 0) return
      await rm(taskFolder(ref.task), { recursive: true, force: true })
      await removeFromMemory(memory, ref.task)
    },
    async list() {
      const tasks = (await readdir(stateDir).catch(orWhenAbsent([]))).flatMap((name) => TaskId.safeParse(name).data ?? [])
      const found = await Promise.all(tasks.map(async (task) => (await attemptsIn(taskFolder(task))).map((attempt) => ({ task, attempt }))))
      return found.flat()
    },
    close: () => giveBackMemory(memory),
  }
}

async function attemptsIn(folder: string): Promise<number[]> {
  return (await readdir(folder).catch(orWhenAbsent([]))).map(Number).filter((attempt) => Number.isSafeInteger(attempt) && attempt > 0)
}

const orWhenAbsent =
  <T>(value: T) =>
  (error: unknown): T => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return value
    throw error
  }
