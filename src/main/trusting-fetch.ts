import { Agent, fetch as send } from 'undici'

/**
 * `fetch` over TLS with servers of certain roots (PEM); null: with anybody, to ask which roots it has.
 * Redirects are not followed: who asks must see where its token would go.
 */
export function trustingFetch(roots: string | null): typeof fetch {
  const dispatcher = new Agent({ connect: roots === null ? { rejectUnauthorized: false } : { ca: roots } })
  // The one of undici, because the one of Node takes no roots of ours; both are the same interface.
  return ((input: string, init: RequestInit = {}) =>
    send(input, { ...(init as object), redirect: 'manual', dispatcher })) as unknown as typeof fetch
}
