import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface AttemptLeft {
  /** Of the task and of its shim. */
  readonly pids: readonly number[]
  readonly cgroups: boolean
}

const wordsOf = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [])

/** Attempts of the process driver that are over although no agent has looked at their end: their pids are free for others. */
export function attemptsLeft(stateDir: string): AttemptLeft[] {
  const attempts = join(stateDir, 'process/attempts')
  return (existsSync(attempts) ? readdirSync(attempts) : []).flatMap((attempt) => {
    const inside = (file: string): string => join(attempts, attempt, file)
    const [[task], [, shim]] = [wordsOf(inside('pid')), wordsOf(inside('claim'))]
    if (existsSync(inside('result.json')) || task === undefined || shim === undefined) return []
    if ([task, shim].some((pid) => existsSync(`/proc/${pid}`))) return []
    const intent: { cgroups: boolean } = JSON.parse(readFileSync(inside('intent.json'), 'utf8'))
    return [{ pids: [Number(task), Number(shim)], cgroups: intent.cgroups }]
  })
}
