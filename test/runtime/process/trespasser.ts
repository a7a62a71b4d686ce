/** What a program tries that is none of its business. */
export interface Attempts {
  readonly read: readonly string[]
  readonly list: readonly string[]
  readonly write: readonly string[]
  /** A process of the machine, by pid and by its arguments. */
  readonly decoy: { readonly pid: number; readonly argument: string }
  /** On the loopback of the machine. */
  readonly port: number
}

/** How each of them went: `done`, or the code it was refused with. */
export type Outcomes = Readonly<Record<string, string>>

const PROGRAM = `
const { readFileSync, readdirSync, writeFileSync } = require('node:fs')
const attempts = JSON.parse(process.argv[1])
const outcomes = {}
const attempt = (name, act) => {
  try { act(); outcomes[name] = 'done' } catch (error) { outcomes[name] = error.code ?? error.message }
}
for (const path of attempts.read) attempt('read ' + path, () => readFileSync(path))
for (const path of attempts.list) attempt('list ' + path, () => { if (readdirSync(path).length === 0) throw new Error('empty') })
for (const path of attempts.write) attempt('write ' + path, () => writeFileSync(path, 'x'))
attempt('see', () => {
  const seen = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
    .some((name) => { try { return readFileSync('/proc/' + name + '/cmdline', 'latin1').split('\\0')[1] === attempts.decoy.argument } catch { return false } })
  if (!seen) throw new Error('not seen')
})
attempt('signal', () => process.kill(attempts.decoy.pid, 'SIGTERM'))
const socket = require('node:net').connect(attempts.port, '127.0.0.1')
const end = (outcome) => { outcomes.connect = outcome; socket.destroy(); console.log(JSON.stringify(outcomes)) }
socket.on('connect', () => end('done')).on('error', (error) => end(error.code))
`

/** A program that tries all of it and prints the outcomes. */
export const trespasser = (attempts: Attempts): string[] => [process.execPath, '-e', PROGRAM, '--', JSON.stringify(attempts)]
