import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AnswerLog } from '../support/answer-log.ts'
import { Drover, workloadOf } from '../support/drover.ts'
import { EngineImages } from '../support/engine-images.ts'
import { commitFiles, type FixtureRepo, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { type Picture, pictureOf } from '../support/picture.ts'
import { WEB_PATH, type WebFault, webServer } from '../support/web-manifests.ts'

const IMAGE = 'drover-e2e/web:1'
const SIZE = { replicas: 10, maxSurge: 4, maxUnavailable: 1, minReadySeconds: 2, progressDeadlineSeconds: 8, image: IMAGE }
const ALWAYS = SIZE.replicas - SIZE.maxUnavailable

/** What fails by not becoming ready has its deadline and 5 s to be gone; what crashes or is refused, 15 s. */
const BOUND_MS: Readonly<Record<WebFault, number>> = {
  'never ready': (SIZE.progressDeadlineSeconds + 5) * 1000,
  'bad config': (SIZE.progressDeadlineSeconds + 5) * 1000,
  'bad image': 15_000,
  'program missing': 15_000,
  'exits at once': 15_000,
  'crashes after it was ready': 15_000,
}

/** 20 for the figure in the README (`DROVER_ROLLOUTS=20 npm test e2e`); the first 12 hold every kind. */
const ROLLOUTS = Number(process.env.DROVER_ROLLOUTS ?? 12)

const STORY: readonly (WebFault | 'good' | 'the tag moves, then: program missing')[] = [
  'good',
  'bad image',
  'good',
  'program missing',
  'never ready',
  'good',
  'exits at once',
  'crashes after it was ready',
  'good',
  'bad config',
  'good',
  'the tag moves, then: program missing',
  'good',
  'bad image',
  'exits at once',
  'good',
  'crashes after it was ready',
  'never ready',
  'good',
  'bad config',
]

describe(`${ROLLOUTS} rollouts of ${SIZE.replicas} web servers, good and bad, while somebody asks them all the time`, () => {
  const scratch = scratchFolder()
  const images = new EngineImages()
  const figures: string[] = []
  let repo: FixtureRepo
  let drover: Drover
  let log: AnswerLog
  let version = 0

  beforeAll(async () => {
    await images.tagExample(IMAGE)
    repo = makeRepo(join(scratch.path, 'repo'))
    commitFiles(repo, webServer({ ...SIZE, version: '0', fault: null }), 'first')
    drover = new Drover({ repo: repo.path })
    await drover.start()
    await drover.healthyAt(repo.head())
    log = new AnswerLog(drover, { workload: 'web', port: 'http', path: WEB_PATH })
    log.start()
  })

  afterAll(async () => {
    await log.stop()
    process.stderr.write(`${figures.join('\n')}\nfewest answering: ${log.fewest()?.answering} of ${log.samples.length} samples\n`)
    await drover.destroy()
    await images.removeTags()
    scratch.remove()
  })

  const digest = async () => workloadOf(await drover.app(), 'web')?.inputsDigest
  const imagesOf = async (picture: Picture) => images.imagesOf(new Set(picture.tasks.map(({ id }) => id)))

  interface Done {
    readonly commit: string
    /** From the poll that saw the commit until the end was reached. */
    readonly tookMs: number
  }

  async function rollOut(fault: WebFault | null, end: (commit: string) => Promise<unknown>): Promise<Done> {
    // A fault of the ConfigMap comes alone.
    if (fault !== 'bad config') version += 1
    const commit = commitFiles(repo, webServer({ ...SIZE, version: String(version), fault }), fault ?? 'good')
    await drover.observed(commit)
    const seen = performance.now()
    await end(commit)
    const tookMs = performance.now() - seen
    figures.push(`${fault ?? 'good'}: ${(tookMs / 1000).toFixed(1)} s`)
    return { commit, tookMs }
  }

  async function staysSo(): Promise<void> {
    const picture = await pictureOf(drover, 'web')
    for (let times = 0; times < 3; times += 1) await drover.poll()
    expect(await pictureOf(drover, 'web')).toEqual(picture)
  }

  async function good(): Promise<void> {
    const before = await digest()
    await rollOut(null, (commit) => drover.healthyAt(commit))
    await drover.proved()
    expect(await digest()).not.toBe(before)
    expect(workloadOf(await drover.app(), 'web')?.quarantine).toBeNull()
  }

  /** @returns how many of the old tasks were never replaced */
  async function bad(fault: WebFault): Promise<number> {
    const before = await pictureOf(drover, 'web')
    const [inputs, image] = [await digest(), await imagesOf(before)]
    expect(image.size).toBe(1)
    const { commit, tookMs } = await rollOut(fault, (bad) => drover.rolledBackFrom(bad, 'web'))
    expect(tookMs).toBeLessThan(BOUND_MS[fault])
    const wasReady = [...log.readyRevisions].some((revision) => revision.endsWith(commit))
    expect(wasReady).toBe(fault === 'crashes after it was ready')
    await drover.proved()
    const after = await pictureOf(drover, 'web')
    expect(await digest()).toBe(inputs)
    expect(await imagesOf(after)).toEqual(image)
    const kept = after.tasks.filter(({ id }) => before.tasks.some((task) => task.id === id))
    expect(kept.length, 'old tasks that served went on serving').toBeGreaterThanOrEqual(ALWAYS)
    expect(after.rollouts.slice(0, 2)).toMatchObject([{ phase: 'Complete' }, { phase: 'RolledBack' }])
    return kept.length
  }

  /** What the way back starts anew is the very image that ran, not what its name means by then. */
  async function badAfterTheTagMoved(): Promise<void> {
    const other = await images.moveTag(IMAGE)
    expect(await imagesOf(await pictureOf(drover, 'web'))).not.toContain(other)
    expect(await bad('program missing')).toBeLessThan(SIZE.replicas)
  }

  it.each(STORY.slice(0, ROLLOUTS).map((kind, index) => ({ number: index + 1, kind })))('$number: $kind', async ({ kind }) => {
    if (kind === 'good') await good()
    else if (kind === 'the tag moves, then: program missing') await badAfterTheTagMoved()
    else await bad(kind)
    await staysSo()
  })

  it(`never fewer than ${ALWAYS} answered`, () => {
    expect(log.samples.length).toBeGreaterThan(100)
    expect(log.samples.filter(({ answering }) => answering < ALWAYS)).toEqual([])
  })
})
