import type { CliDeps } from './deps.ts'

/** Who asks, as history and events name them; printable, as the server wants it to be. */
export function actorOf({ env }: CliDeps): string {
  const user = (env.USER ?? env.LOGNAME ?? 'unknown').replace(/[^\x21-\x7e]/g, '').slice(0, 90)
  return `cli:${user === '' ? 'unknown' : user}`
}
