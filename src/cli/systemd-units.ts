import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A unit of systemd that starts an agent, with the drop-ins beside it. */
export interface AgentUnit {
  readonly path: string
  /** systemd's own default is `control-group`. */
  readonly killMode: string
  readonly delegate: boolean
}

const STARTS_AN_AGENT = /^ExecStart=.*\bdrover(?:\.js)?"?\s+(?:agent|up)\b/m

/** Those that run tasks of Drover, in any of the folders; none where there is no systemd. */
export async function agentUnits(folders: readonly string[]): Promise<AgentUnit[]> {
  const found = await Promise.all(folders.map(unitsIn))
  return found.flat()
}

async function unitsIn(folder: string): Promise<AgentUnit[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.service')).sort()
  const units = await Promise.all(names.map((name) => unitAt(join(folder, name))))
  return units.filter((unit) => unit !== null)
}

async function unitAt(path: string): Promise<AgentUnit | null> {
  const dropIns = (await readdir(`${path}.d`).catch(() => [])).filter((name) => name.endsWith('.conf')).sort()
  const texts = await Promise.all(
    [path, ...dropIns.map((name) => join(`${path}.d`, name))].map((one) => readFile(one, 'utf8').catch(() => '')),
  )
  const text = texts.join('\n')
  if (!STARTS_AN_AGENT.test(text)) return null
  const delegate = lastOf(text, 'Delegate')
  return {
    path,
    killMode: lastOf(text, 'KillMode') ?? 'control-group',
    delegate: delegate !== null && !/^(no|false|0|off)?$/i.test(delegate),
  }
}

/** The last word counts, as systemd reads them. */
function lastOf(text: string, setting: string): string | null {
  const values = [...text.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value = '']) => value.trim())
  return values.at(-1) ?? null
}
