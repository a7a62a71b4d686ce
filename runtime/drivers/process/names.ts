import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TaskId } from '../../../src/model/ids.ts'
import type { AttemptRef, Handle } from '../../driver.ts'
import { folderMark } from '../../folder-mark.ts'

/** Every path of one attempt; all of them follow from the state directory and the attempt. */
export interface AttemptPaths {
  readonly key: string
  readonly dir: string
  /** Written last and synced: from then on the attempt may be started. */
  readonly intent: string
  /** Made with O_EXCL by the shim or by a recovering agent, never by both. */
  readonly claim: string
  /** `pid starttime boot-id shim-pid shim-starttime`, written by the task itself before it becomes the program. */
  readonly pid: string
  /** Blanks until the shim writes the exit code over them. */
  readonly exit: string
  /** The terminal record, written once by an agent after the whole tree is gone. */
  readonly result: string
  readonly script: string
  /** Apart from the control files, which are watched: a talkative task must not wake the watcher. */
  readonly logs: string
  readonly stdout: string
  readonly stderr: string
  /** Notes of when the lines were written; beside the streams, for a follower watches those. */
  readonly times: string
  /** Home of a task that runs as another user, who may not look into the state directory. */
  readonly foreignHome: string
}

export interface Layout {
  readonly attempts: string
  readonly foreign: string
  /** Tells this agent's cgroups and processes from those of another agent on the same machine. */
  readonly mark: string
}

export const keyOf = (ref: AttemptRef): string => `${ref.task}.${ref.attempt}`

export function layoutOf(stateDir: string): Layout {
  const mark = folderMark(stateDir)
  return { attempts: join(stateDir, 'attempts'), foreign: join(tmpdir(), `drover-work-${mark}`), mark }
}

export function pathsOf(layout: Layout, ref: AttemptRef): AttemptPaths {
  const key = keyOf(ref)
  const dir = join(layout.attempts, key)
  const inside = (name: string) => join(dir, name)
  return {
    key,
    dir,
    intent: inside('intent.json'),
    claim: inside('claim'),
    pid: inside('pid'),
    exit: inside('exit'),
    result: inside('result.json'),
    script: inside('run.sh'),
    logs: inside('logs'),
    stdout: inside('logs/stdout'),
    stderr: inside('logs/stderr'),
    times: inside('times'),
    foreignHome: join(layout.foreign, key),
  }
}

/** The attempt a directory name stands for, or null when it is none of ours. */
export function refOf(name: string): AttemptRef | null {
  const [, task, attempt] = /^([^.]+)\.(\d{1,9})$/.exec(name) ?? []
  const id = TaskId.safeParse(task)
  return id.success ? { task: id.data, attempt: Number(attempt) } : null
}

export const handleOf = ({ task, attempt }: AttemptRef): Handle => ({ task, attempt, ref: keyOf({ task, attempt }) })

/** In the environment of every process of an attempt, so that one that left group and session is still found. */
export const MARK_VARIABLE = 'DROVER_MARK'
export const markOf = (layout: Layout, ref: AttemptRef): string => `${layout.mark}.${keyOf(ref)}`
