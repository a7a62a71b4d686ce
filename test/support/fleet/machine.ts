import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { must } from '../../../src/lib/must.ts'
import { attemptsLeft } from '../attempts-left.ts'
import { Strangers } from '../strangers.ts'
import { waitUntil } from '../wait-until.ts'
import type { Answer, Order } from './orders.ts'

/**
 * A machine with several agents, in a pid namespace. On an order an agent is killed; strangers get the pids of tasks of
 * its that ended meanwhile, and of the shims of these; and the agent comes back.
 */
const [root = '', url = '', ...names] = process.argv.slice(2)
/** A task ends within so long where many run; with none, no stranger comes. Milliseconds. */
const TASK_ENDS_WITHIN = 200

const agents = new Map<string, ChildProcess>()
const strangers = new Strangers()

const stateOf = (name: string): string => join(root, name)

function start(name: string): void {
  const args = [join(import.meta.dirname, 'agent.js'), stateOf(name), name, url]
  agents.set(name, spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }))
}

async function end(name: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const child = must(agents.get(name), name)
  if (child.exitCode !== null || child.signalCode !== null)
    throw new Error(`agent ${name} ended by itself: ${child.exitCode} ${child.signalCode}`)
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** For an attempt with cgroups and one without, which an agent looks for in other ways. */
async function letStrangersIn(name: string): Promise<number> {
  await waitUntil(() => attemptsLeft(stateOf(name)).length > 0, { timeoutMs: TASK_ENDS_WITHIN }).catch(() => undefined)
  const left = attemptsLeft(stateOf(name))
  const before = strangers.pids.length
  const chosen = [left.find(({ cgroups }) => cgroups), left.find(({ cgroups }) => !cgroups)]
  for (const pid of chosen.flatMap((one) => one?.pids ?? [])) await strangers.take(pid, 'login')
  return strangers.pids.length - before
}

async function obey(order: Order): Promise<Answer> {
  if (order.do === 'kill') {
    await end(order.agent, 'SIGKILL')
    const came = await letStrangersIn(order.agent)
    start(order.agent)
    return { type: 'killed', strangers: came }
  }
  for (const name of names) await end(name, 'SIGTERM')
  return { type: 'ended', strangers: strangers.pids, endedStrangers: strangers.ended }
}

const answer = (said: Answer): void => void process.send?.(said)

process.on('message', (order: Order) => void obey(order).then(answer))
// Without a test there is nobody to end it.
process.on('disconnect', () => process.exit())
for (const name of names) start(name)
answer({ type: 'ready' })
