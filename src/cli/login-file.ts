import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, messageOf } from './exit.ts'
import { writePrivate } from './write.ts'

/** What is known of one server. */
export const Login = z.object({
  token: z.string(),
  /** Of its cluster, PEM. */
  roots: z.string(),
  /** When they were last asked for, milliseconds since 1970. */
  checkedAt: z.number(),
})
export type Login = z.infer<typeof Login>

const Logins = z.object({
  /** The server that is meant where none is named. */
  current: z.string().nullable(),
  servers: z.record(z.string(), Login),
})
export type Logins = z.infer<typeof Logins>

const NONE: Logins = { current: null, servers: {} }

/** `$XDG_CONFIG_HOME/drover/config.json`, as the base directory specification has it; null where there is no home. */
function loginPath({ XDG_CONFIG_HOME: config, HOME: home }: CliDeps['env']): string | null {
  const folder = config !== undefined && config !== '' ? config : home === undefined ? null : join(home, '.config')
  return folder === null ? null : join(folder, 'drover', 'config.json')
}

/** @throws CliError 1 for a file that is none of ours. */
export async function readLogins({ env }: CliDeps): Promise<Logins> {
  const path = loginPath(env)
  if (path === null) return NONE
  try {
    return Logins.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return NONE
    throw new CliError(EXIT.error, `${path} cannot be read: ${messageOf(error)}`, 'mend it, or delete it and use drover login again')
  }
}

/** For its owner alone. @throws CliError 1 */
export async function keepLogin(deps: CliDeps, url: string, login: Login): Promise<string> {
  const path = loginPath(deps.env)
  if (path === null) throw new CliError(EXIT.error, 'there is no place to keep a login: neither XDG_CONFIG_HOME nor HOME is set')
  const { current, servers } = await readLogins(deps)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writePrivate(deps, path, `${JSON.stringify({ current: current ?? url, servers: { ...servers, [url]: login } }, null, 2)}\n`)
  return path
}

/** From now on the one that is meant where none is named. @throws CliError 1 */
export async function chooseLogin(deps: CliDeps, url: string, login: Login): Promise<string> {
  await keepLogin(deps, url, login)
  const path = loginPath(deps.env) ?? ''
  await writePrivate(deps, path, `${JSON.stringify({ ...(await readLogins(deps)), current: url }, null, 2)}\n`)
  return path
}
