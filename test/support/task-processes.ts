import { readdirSync, readFileSync } from 'node:fs'

/** Every process on this machine that runs as a Drover task and has `variable` (`NAME=value`) in its environment, by pid: the task's id. */
export function taskProcesses(variable: string): Map<number, string> {
  const found = new Map<number, string>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const task = taskOf(name, variable)
    if (task !== null) found.set(Number(name), task)
  }
  return found
}

/** A process can end between being listed and being read. */
function taskOf(pid: string, marker: string): string | null {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    if (!variables.includes(marker)) return null
    return variables.find((variable) => variable.startsWith('DROVER_TASK='))?.slice('DROVER_TASK='.length) ?? null
  } catch {
    return null
  }
}
