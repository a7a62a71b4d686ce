import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { TerminalError } from '../../../src/lib/errors.ts'

const run = promisify(execFile)

export interface Account {
  readonly uid: number
  readonly gid: number
  /** Supplementary ones; looked up here, for a sandbox may not see where users are kept. */
  readonly groups: readonly number[]
}

const isNumber = (text: string): boolean => /^\d+$/.test(text)

/** The next number is -1 to the kernel, "as it is", and those above it are cut to 32 bits on their way there: each would leave a task root. */
const HIGHEST_ID = 2 ** 32 - 2

function checkId(kind: 'user' | 'group', text: string): void {
  if (Number(text) > HIGHEST_ID)
    throw new TerminalError('UserNotFound', `no ${kind} can have the number ${text}: ${HIGHEST_ID} is the highest`)
}

const wordsOf = (program: string, args: readonly string[], separator: RegExp): Promise<readonly string[] | null> =>
  run(program, [...args]).then(
    ({ stdout }) => (stdout === '' ? null : stdout.trimEnd().split(separator)),
    () => null,
  )

/** A line of the user or group data base, whatever it is kept in; null when there is none of that name. */
const lookup = (database: 'passwd' | 'group', name: string) => wordsOf('getent', [database, name], /:/)

async function groupId(name: string): Promise<number> {
  checkId('group', name)
  if (isNumber(name)) return Number(name)
  const [, , gid] = (await lookup('group', name)) ?? []
  if (gid === undefined) throw new TerminalError('UserNotFound', `this machine has no group ${name}`)
  return Number(gid)
}

/** Without its primary group, which the caller may replace. */
async function supplementaryGroups(user: string, primary: number): Promise<number[]> {
  const all = (await wordsOf('id', ['-G', user], / /)) ?? []
  return all.map(Number).filter((gid) => gid !== primary)
}

/**
 * Reads `user` or `user:group`, each a name or a number.
 * @throws TerminalError `UserNotFound`.
 */
export async function resolveUser(text: string): Promise<Account> {
  const [user = '', group] = text.split(':')
  checkId('user', user)
  const entry = await lookup('passwd', user)
  if (entry === null && !isNumber(user)) throw new TerminalError('UserNotFound', `this machine has no user ${user}`)
  const [name = '', , uid = user, own = user] = entry ?? []
  return {
    uid: Number(uid),
    gid: group === undefined ? Number(own) : await groupId(group),
    groups: entry === null ? [] : await supplementaryGroups(name, Number(own)),
  }
}
