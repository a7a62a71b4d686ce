import { VersionView } from '../../model/views.ts'
import { createClient } from '../client.ts'
import { apiToken, givenToken, rootsOf } from '../credentials.ts'
import { CliError, EXIT } from '../exit.ts'
import { chooseLogin } from '../login-file.ts'
import { escapeText } from '../output/escape.ts'
import { type Command, serverUrl } from '../session.ts'

/** Keeps a server with its token once both were tried. */
export const login: Command<{ token?: string }> = async ({ deps, printer, servers, tokens }, [named], { token }) => {
  const url = serverUrl(named ?? servers.at(-1) ?? deps.env.DROVER_SERVER ?? missing('which server?'))
  if (!url.startsWith('https:'))
    throw new CliError(EXIT.usage, `${url} asks for no token`, 'a server that others can reach is at https://HOST:PORT')
  const text = (await givenToken(tokens, token)) ?? missing('which token?')
  const roots = await rootsOf(deps, url, apiToken(text))
  const client = createClient({ url, fetch: await deps.trustingFetch(roots), token: text, signal: deps.signal })
  const { cluster } = await client.get('/api/v1/version', VersionView)
  const path = await chooseLogin(deps, url, { token: text, roots, checkedAt: deps.clock.now() })
  printer.say(escapeText(`logged in at ${url}, cluster ${cluster}; the token is in ${path}`))
  return EXIT.ok
}

function missing(what: string): never {
  throw new CliError(EXIT.usage, what, 'drover login https://HOST:7420 --token-file FILE')
}
