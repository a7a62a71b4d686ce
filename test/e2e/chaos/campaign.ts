import { setTimeout as sleep } from 'node:timers/promises'
import { createRng, type Rng } from '../../sim/rng.ts'
import { readLedger } from '../../support/short-tasks.ts'
import { type Fault, type Nemesis, together } from './fault.ts'
import type { Findings } from './findings.ts'
import type { Load } from './load.ts'
import { NEMESES } from './nemeses.ts'
import { untilQuiet } from './quiet.ts'
import { Rules } from './rules.ts'
import { type Episode, lineOf, tableOf } from './summary.ts'
import { startWorld, type World } from './world.ts'

/** The promise: recovered so soon after a fault was mended. */
const QUIET_MS = 60_000
/** Beyond it nothing more is learned by waiting. */
const STUCK_MS = 180_000
/** From here on it is worth a line what came last. */
const SLOW_MS = 15_000
const LAST_MAX = 600
const COMMIT_EVERY_MS = 6_000
const LONG_MS = 60_000
const FIRST_QUIET_MS = 120_000
const SECOND_FAULT = 0.3

export interface CampaignOptions {
  readonly root: string
  readonly seed: number
  readonly faults: number
  /** Each fault is on for between one second and this long. */
  readonly longestHoldMs: number
  /** No fault begins after so long. */
  readonly limitMs: number
  /** Kinds of faults, by a part of their name; empty: all. */
  readonly only: string
  /** Whether those that take more than a minute each come too. */
  readonly long: 'Yes' | 'No'
  readonly print: (line: string) => void
}

/** One fault after the other, with work all the time; what must hold is checked after each. */
export async function runCampaign(options: CampaignOptions, findings: Findings): Promise<void> {
  const { print, root } = options
  const began = performance.now()
  const world = await startWorld(root, findings)
  const rules = new Rules(world)
  const first = await untilQuiet(world, FIRST_QUIET_MS)
  if (first.missing !== null) throw new Error(`the cluster did not come up: ${first.missing}`)
  await rules.check('Nothing', first.upTo)
  print(`up after ${seconds(performance.now() - began).toFixed(1)} s`)
  const episodes: Episode[] = []
  for (const nemeses of schedule(options)) {
    const episode = await strike({
      world,
      rules,
      number: episodes.length + 1,
      nemeses,
      rng: createRng(options.seed + episodes.length),
      options,
    })
    episodes.push(episode)
    print(lineOf(episode))
    if (seconds(STUCK_MS) <= episode.quietAfter || performance.now() - began > options.limitMs) break
  }
  print(tableOf(episodes))
  print(figuresOf(world, rules, began))
  await shutDown(world)
}

/** Each kind once before any comes again, and now and then two at once. */
function* schedule({ seed, faults, only, long }: CampaignOptions): Generator<Nemesis[]> {
  const rng = createRng(seed)
  const kinds = NEMESES.filter(({ kind, holdMs }) => kind.includes(only) && (long === 'Yes' || (holdMs ?? 0) < LONG_MS))
  if (kinds.length === 0) throw new Error(`no fault has "${only}" in its name: ${NEMESES.map(({ kind }) => kind).join(', ')}`)
  let left: Nemesis[] = []
  for (let done = 0; done < faults; done += 1) {
    if (left.length === 0) left = shuffled(kinds, rng)
    const next = left.pop()
    if (next === undefined) return
    const others = kinds.filter((other) => other !== next)
    yield others.length > 0 && rng.chance(SECOND_FAULT) ? [next, rng.pick(others)] : [next]
  }
}

const shuffled = <T>(items: readonly T[], rng: Rng): T[] =>
  items
    .map((item) => ({ item, at: rng.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)

interface Strike {
  readonly world: World
  readonly rules: Rules
  readonly number: number
  readonly nemeses: readonly Nemesis[]
  readonly rng: Rng
  readonly options: CampaignOptions
}

async function strike({ world, rules, number, nemeses, rng, options }: Strike): Promise<Episode> {
  const { findings, checks, load } = world
  findings.fault = number
  const known = findings.all.length
  const terms = checks.terms.length
  const fault = together(nemeses.map((nemesis) => nemesis.plan(world, rng)))
  load.tidy()
  load.commit()
  await sleep(rng.int(0, 1_500))
  const leastMs = Math.max(0, ...nemeses.map(({ holdMs }) => holdMs ?? 0))
  const began = performance.now()
  const held = await hold(fault, { ms: leastMs + rng.int(1_000, options.longestHoldMs), load })
  const quiet = await untilQuiet(world, STUCK_MS)
  if (quiet.missing !== null) findings.report('Recovers', `not ${seconds(quiet.ms).toFixed(0)} s after the fault: ${quiet.missing}`)
  else if (quiet.ms > QUIET_MS) findings.report('RecoversInTime', `it took ${seconds(quiet.ms).toFixed(1)} s after ${fault.title}`)
  if (quiet.missing === null) await rules.check(fault.toll, quiet.upTo)
  if (quiet.ms > SLOW_MS && quiet.last !== null) options.print(`  last: ${quiet.last.slice(0, LAST_MAX)}`)
  const acted = checks.terms[terms]?.actedAt ?? null
  return {
    number,
    kinds: nemeses.map(({ kind }) => kind),
    title: fault.title,
    held: seconds(held),
    quietAfter: seconds(quiet.ms),
    elections: checks.terms.length - terms,
    actedAfter: acted === null ? null : seconds(acted - began),
    findings: findings.all.length - known,
  }
}

/** With commits all the while. @returns milliseconds from begin to heal */
async function hold(fault: Fault, { ms, load }: { ms: number; load: Load }): Promise<number> {
  const began = performance.now()
  try {
    await fault.begin()
    const end = performance.now() + ms
    while (performance.now() + COMMIT_EVERY_MS < end) {
      await sleep(COMMIT_EVERY_MS)
      load.commit()
    }
    await sleep(Math.max(0, end - performance.now()))
  } finally {
    await fault.heal()
  }
  return performance.now() - began
}

function figuresOf({ ledger, checks, load, history, strangers }: World, rules: Rules, began: number): string {
  const entries = readLedger(ledger)
  const figures = {
    minutes: Math.round((performance.now() - began) / 6_000) / 10,
    commits: load.version,
    attempts: entries.length,
    runs: checks.table('runs').size,
    elections: checks.terms.length,
    revision: history.revision,
    strangers: strangers.pids.length,
    most: rules.usage.peak,
  }
  return JSON.stringify(figures)
}

/** The processes end with their namespace; what was open here is closed. */
async function shutDown(world: World): Promise<void> {
  world.history.stop()
  await world.api.close()
  await world.git.close()
}

const seconds = (ms: number): number => ms / 1000
