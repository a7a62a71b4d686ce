import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Answer,
  dueAt,
  firstProbes,
  type Health,
  healthOf,
  jointHealth,
  type KnownHealth,
  newsOf,
  onAnswer,
  type ProbeKind,
  type Probes,
} from '../../src/core/task-probe.ts'
import type { ProbeSpec, ProbeSpecs } from '../../src/model/probe.ts'

const START = 5_000
const UNKNOWN: KnownHealth = { startup: 'pending', ready: false, unready: null }
const READY: KnownHealth = { startup: 'passed', ready: true, unready: null }

const probe = (more: Partial<ProbeSpec> = {}): ProbeSpec => ({
  check: { type: 'tcp', host: null, port: 80 },
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
  ...more,
})

/** `+` passes, `-` fails, `?` cannot be asked; each a period after the one before. */
function answering(specs: ProbeSpecs, kind: ProbeKind, story: string, known = UNKNOWN): Probes {
  const answers: Record<string, Answer> = { '+': { type: 'passed' }, '-': { type: 'failed', message: 'no' }, '?': { type: 'unknown' } }
  let probes = firstProbes(specs, known, START)
  const spec = specs[kind]
  if (spec === undefined) throw new Error(`no ${kind} probe`)
  for (const [index, sign] of [...story].entries()) {
    const answer = answers[sign]
    if (answer !== undefined) probes = onAnswer(probes, { kind, spec, answer, now: START + index * 10_000 })
  }
  return probes
}

function shown({ startup, ready, unready, unhealthy }: Health): string {
  if (unhealthy !== null) return unhealthy.code
  return `${startup === 'pending' ? 'starting' : ready ? 'ready' : 'not ready'}${unready === null ? '' : ` (${unready.code})`}`
}

describe('what a row of answers makes of a probe', () => {
  const twoOfThree = { successThreshold: 2, failureThreshold: 3 }
  it.each([
    ['readiness', '', 'not ready'],
    ['readiness', '+', 'not ready'],
    ['readiness', '++', 'ready'],
    ['readiness', '+-+', 'not ready'],
    ['readiness', '+?+', 'ready'],
    ['readiness', '--', 'not ready'],
    ['readiness', '---', 'not ready (ReadinessProbeFailed)'],
    ['readiness', '--?-', 'not ready (ReadinessProbeFailed)'],
    ['readiness', '--+--', 'not ready'],
    ['readiness', '++--', 'ready'],
    ['readiness', '++--+--', 'ready'],
    ['readiness', '++---', 'not ready (ReadinessProbeFailed)'],
    ['readiness', '++---+', 'not ready (ReadinessProbeFailed)'],
    ['readiness', '++---++', 'ready'],
    ['liveness', '', 'ready'],
    ['liveness', '--', 'ready'],
    ['liveness', '--+--', 'ready'],
    ['liveness', '??????', 'ready'],
    ['liveness', '---', 'LivenessProbeFailed'],
    ['startup', '', 'starting'],
    ['startup', '--+', 'starting'],
    ['startup', '--++', 'ready'],
    ['startup', '---', 'StartupProbeFailed'],
  ] as const)('%s %s: %s', (kind, story, expected) => {
    const specs = { [kind]: probe(twoOfThree) }
    expect(shown(healthOf(answering(specs, kind, story)))).toBe(expected)
  })
})

describe('what is due', () => {
  const specs: ProbeSpecs = {
    startup: probe({ periodSeconds: 1 }),
    readiness: probe({ initialDelaySeconds: 7 }),
    liveness: probe({ initialDelaySeconds: 20 }),
  }
  const dues = (probes: Probes) => (['startup', 'readiness', 'liveness'] as const).map((kind) => dueAt(probes, kind))

  it('is the startup probe alone until it passed; the delays of the others count from the start all the same', () => {
    expect(dues(firstProbes(specs, UNKNOWN, START))).toEqual([START, null, null])
    const passed = answering(specs, 'startup', '--+')
    expect(dues(passed)).toEqual([null, START + 7_000, START + 20_000])
    expect(dues(firstProbes({ readiness: probe() }, UNKNOWN, START))).toEqual([null, START, null])
  })

  it('is a period after each answer, also after one that nobody gave', () => {
    for (const story of ['+', '-', '?']) expect(dueAt(answering(specs, 'readiness', story, READY), 'readiness')).toBe(START + 10_000)
  })

  it('is nothing once it has to be restarted', () => {
    expect(dues(answering(specs, 'liveness', '---', READY))).toEqual([null, null, null])
    expect(dues(answering(specs, 'startup', '---'))).toEqual([null, null, null])
  })

  it('is no startup probe for an attempt that passed it before the agent restarted, nor for one that was ready', () => {
    expect(dues(firstProbes(specs, { ...UNKNOWN, startup: 'passed' }, START))[0]).toBeNull()
    expect(shown(healthOf(firstProbes(specs, READY, START)))).toBe('ready')
  })

  it('goes on as not ready, with the reason known, after the agent restarted', () => {
    const unready = { code: 'ReadinessProbeFailed', message: 'no', count: 1 }
    const known = { ...UNKNOWN, startup: 'passed' as const, unready }
    const probes = firstProbes(specs, known, START)
    expect(healthOf(probes)).toMatchObject({ ready: false, unready })
    expect(newsOf(known, healthOf(probes))).toBeNull()
  })
})

describe('what is news', () => {
  const specs = { startup: probe(), readiness: probe({ failureThreshold: 1 }), liveness: probe({ failureThreshold: 1 }) }
  const unready = { code: 'ReadinessProbeFailed', message: 'no', count: 1 }
  const waiting: KnownHealth = { ...UNKNOWN, startup: 'passed' }

  it.each([
    ['nothing at the start', UNKNOWN, firstProbes(specs, UNKNOWN, START), null],
    ['that it has started', UNKNOWN, answering(specs, 'startup', '+'), { type: 'startupPassed' }],
    ['only once', waiting, answering(specs, 'startup', '+'), null],
    ['that it is ready', waiting, answering(specs, 'readiness', '+', waiting), { type: 'ready' }],
    ['readiness that came with the start', UNKNOWN, answering({ startup: probe() }, 'startup', '+'), { type: 'ready' }],
    [
      'that it is not ready though it never was',
      waiting,
      answering(specs, 'readiness', '-', waiting),
      { type: 'unready', reason: unready },
    ],
    ['that it is ready no more', READY, answering(specs, 'readiness', '-', READY), { type: 'unready', reason: unready }],
    ['no reason twice', { ...waiting, unready }, answering(specs, 'readiness', '-', waiting), null],
    ['what is worse first', READY, answering(specs, 'liveness', '-', READY), { type: 'unhealthy' }],
  ] as const)('%s', (_name, known, probes, expected) => {
    const news = newsOf(known, healthOf(probes))
    if (expected === null) expect(news).toBeNull()
    else expect(news).toMatchObject(expected)
  })

  it('is another message at most every 30 s, and never a page of text', () => {
    let probes = firstProbes({ readiness: specs.readiness }, UNKNOWN, START)
    const told: string[] = []
    let known: KnownHealth = UNKNOWN
    for (let second = 0; second < 120; second += 1) {
      const answer = { type: 'failed', message: `at ${second} s ${'x'.repeat(1000)}` } as const
      probes = onAnswer(probes, { kind: 'readiness', spec: specs.readiness, answer, now: START + second * 1000 })
      const news = newsOf(known, healthOf(probes))
      if (news?.type !== 'unready') continue
      told.push(news.reason.message)
      known = { ...known, unready: news.reason }
    }
    expect(told.map((message) => message.slice(0, 5))).toEqual(['at 0 ', 'at 30', 'at 60', 'at 90'])
    expect(told[0]).toHaveLength(500)
  })

  it('needs every unit to be ready, and one to be unhealthy', () => {
    const [well, unwell] = [healthOf(firstProbes({}, UNKNOWN, START)), healthOf(answering(specs, 'liveness', '-', READY))]
    const starting = healthOf(firstProbes(specs, UNKNOWN, START))
    expect(jointHealth([well, well])).toMatchObject({ startup: 'none', ready: true, unhealthy: null })
    expect(jointHealth([well, starting])).toMatchObject({ startup: 'pending', ready: false })
    expect(jointHealth([well, unwell]).unhealthy?.code).toBe('LivenessProbeFailed')
  })
})

/** The rule told the slow way: what the last `threshold` answers say, newest first, and else what it counted as before. */
function naive(story: readonly ('passed' | 'failed')[], spec: ProbeSpec, start: 'open' | 'passed'): string {
  for (let end = story.length; end > 0; end -= 1) {
    const answer = story[end - 1]
    const threshold = answer === 'passed' ? spec.successThreshold : spec.failureThreshold
    const row = story.slice(Math.max(0, end - threshold), end)
    if (row.length === threshold && row.every((one) => one === answer)) return answer ?? start
  }
  return start
}

it('counts as the last row that reached its threshold says, whatever was not answered in between (property)', () => {
  const threshold = fc.integer({ min: 1, max: 4 })
  const answers = fc.array(fc.constantFrom('passed' as const, 'failed' as const, 'unknown' as const), { maxLength: 30 })
  fc.assert(
    fc.property(threshold, threshold, answers, fc.boolean(), (successThreshold, failureThreshold, story, wasReady) => {
      const spec = probe({ successThreshold, failureThreshold })
      let probes = firstProbes({ readiness: spec }, wasReady ? READY : UNKNOWN, START)
      let now = START
      for (const type of story) {
        const answer: Answer = type === 'failed' ? { type, message: 'no' } : { type }
        probes = onAnswer(probes, { kind: 'readiness', spec, answer, now })
        expect(dueAt(probes, 'readiness')).toBe(now + 10_000)
        now += 10_000
      }
      const known = story.filter((type) => type !== 'unknown')
      expect(probes.readiness?.stands).toBe(naive(known, spec, wasReady ? 'passed' : 'open'))
      expect(healthOf(probes).unready !== null).toBe(probes.readiness?.stands === 'failed')
    }),
    { numRuns: 1_000 },
  )
})
