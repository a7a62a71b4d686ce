import type { Duplex } from 'node:stream'
import type { Context } from 'hono'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { ApiEnv } from './parts.ts'
import { HttpProblem } from './problem.ts'

/** What each server answers for itself. */
const OWN = new Set(['/livez', '/readyz', '/healthz', '/trust/v1/roots'])
/** Seconds; an election takes as long as the old lease lasts, and then no time at all. */
const RETRY_AFTER = 1

/**
 * Sends whoever asks a standby to the leader; 307 keeps method and body. It tells nothing else, so it asks nobody who he is.
 * @throws HttpProblem 503 while nobody leads.
 */
export const redirected =
  (leader: LeaderPointer) =>
  async (c: Context<ApiEnv>, next: () => Promise<void>): Promise<Response | undefined> => {
    if (OWN.has(c.req.path) || leader.leads()) {
      await next()
      return undefined
    }
    const { pathname, search } = new URL(c.req.url)
    const location = await addressAt(leader, `${pathname}${search}`).catch((error: unknown) => {
      c.header('retry-after', String(RETRY_AFTER))
      throw error
    })
    return c.redirect(location, 307)
  }

/** The same for an upgrade, which has a bare socket for its answer. @throws HttpProblem 503 */
export async function redirectUpgrade(leader: LeaderPointer, path: string, socket: Duplex): Promise<void> {
  const location = await addressAt(leader, path)
  socket.end(`HTTP/1.1 307 Temporary Redirect\r\nlocation: ${location}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

/** Joined as text: a path that begins with two slashes must not name another host. */
async function addressAt(leader: LeaderPointer, path: string): Promise<string> {
  const url = await leader.url()
  if (url !== null) return `${url.replace(/\/+$/, '')}${path}`
  throw new HttpProblem({
    status: 503,
    code: 'Unavailable',
    message: 'this control plane does not lead, and no other has said that it does: one will within seconds, so try again in a moment',
  })
}
