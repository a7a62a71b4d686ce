import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { TerminalError } from '../../../src/lib/errors.ts'

const run = promisify(execFile)

export interface Account {
  readonly uid: number
  readonly gid: number
  /** Known to the machine by name, so that its supplementary groups can be looked up. */
  readonly listed: boolean
}

const isNumber = (text: string): boolean => /^\d+$/.test(text)

/** A line of the user or group data base, whatever it is kept in; null when there is none of that name. */
async function lookup(database: 'passwd' | 'group', name: string): Promise<readonly string[] | null> {
  const found = await run('getent', [database, name]).then(
    ({ stdout }) => stdout,
    () => '',
  )
  return found === '' ? null : found.trimEnd().split(':')
}

async function groupId(name: string): Promise<number> {
  if (isNumber(name)) return Number(name)
  const [, , gid] = (await lookup('group', name)) ?? []
  if (gid === undefined) throw new TerminalError('UserNotFound', `this machine has no group ${name}`)
  return Number(gid)
}

/**
 * Reads `user` or `user:group`, each a name or a number.
 * @throws TerminalError `UserNotFound`.
 */
export async function resolveUser(text: string): Promise<Account> {
  const [user = '', group] = text.split(':')
  const entry = await lookup('passwd', user)
  if (entry === null && !isNumber(user)) throw new TerminalError('UserNotFound', `this machine has no user ${user}`)
  const uid = Number(entry?.[2] ?? user)
  const own = Number(entry?.[3] ?? user)
  return { uid, gid: group === undefined ? own : await groupId(group), listed: entry !== null }
}
