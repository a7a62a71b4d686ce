import { VersionView } from '../../model/views.ts'
import { Unreachable } from '../client.ts'
import { EXIT } from '../exit.ts'
import { escapeText } from '../output/escape.ts'
import type { Command } from '../session.ts'

/** The JSON Schema of manifests, for editors. */
export const schema: Command<object> = async ({ printer }) => {
  const { manifestJsonSchema } = await import('../../manifest/json-schema.ts')
  await printer.value('json', manifestJsonSchema())
  return EXIT.ok
}

/** Of this program, and of the server where one answers. */
export const version: Command<{ output: 'text' | 'json' }> = async (session, _, { output }) => {
  const { deps, printer } = session
  const client = await session.client()
  const server = await client.get('/api/v1/version', VersionView).catch((error: unknown) => {
    if (error instanceof Unreachable) return null
    throw error
  })
  if (output === 'json') await printer.value('json', { client: { version: deps.version }, server })
  else
    printer.out(
      `drover ${deps.version}\nserver ${server === null ? `none at ${client.url}` : escapeText(`${server.version} at ${client.url}`)}\n`,
    )
  return EXIT.ok
}
