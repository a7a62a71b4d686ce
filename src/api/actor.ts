import type { Context } from 'hono'
import type { ApiEnv } from './parts.ts'

/** Who history and events say it was: by its token where one is asked for, and then what the client says of itself beside it. */
export function actorOf(c: Context<ApiEnv>, claimed: string): string {
  const caller = c.get('caller')
  return caller === undefined ? claimed : `${caller.name} (${claimed})`
}
