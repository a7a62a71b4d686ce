import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cron, cronHistory, type Extent, graphHistory, job, jobHistory, node, steps } from './model/histories.ts'

/** Histories of each of the three kinds; the issue of these promises asks for 20,000 in all, which `BATCH_HISTORIES=7000` is. */
const HISTORIES = Number(process.env.BATCH_HISTORIES ?? 150)
/** The same in every run, so that whoever changes something else meets no rare finding; `BATCH_SEED` looks for one. */
const SEED = Number(process.env.BATCH_SEED ?? 1)

describe('keeps every promise whatever machines, people, commits and clocks do', { timeout: 3_600_000 }, () => {
  const extent: Extent = { runs: 0, slots: 0, followed: 0 }

  it(`over ${HISTORIES} histories of a Job`, () => {
    const told = fc.property(job, steps(job), (first, given) => {
      expect(jobHistory(first, given, extent)).toEqual([])
    })
    fc.assert(told, { numRuns: HISTORIES, seed: SEED })
    expect(extent.runs).toBeGreaterThan(HISTORIES)
  })

  it(`over ${HISTORIES} histories of a CronJob`, () => {
    const told = fc.property(cron, steps(cron), (first, given) => {
      expect(cronHistory(first, given, extent)).toEqual([])
    })
    fc.assert(told, { numRuns: HISTORIES, seed: SEED })
    expect(extent.slots).toBeGreaterThan(HISTORIES)
  })

  it(`over ${HISTORIES} histories of a graph`, () => {
    const nodes = fc.tuple(node, node, node, node)
    const told = fc.property(nodes, steps(node, 4), (first, given) => {
      expect(graphHistory(first, given, extent)).toEqual([])
    })
    fc.assert(told, { numRuns: HISTORIES, seed: SEED })
    expect(extent.followed).toBeGreaterThan(HISTORIES)
  })
})
