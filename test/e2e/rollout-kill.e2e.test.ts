import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Drover, workloadOf } from '../support/drover.ts'
import { EngineImages } from '../support/engine-images.ts'
import { commitFiles, type FixtureRepo, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { type Picture, pictureOf } from '../support/picture.ts'
import { taskProcesses } from '../support/task-processes.ts'
import { waitUntil } from '../support/wait-until.ts'
import { probedProcesses, WEB_FAULTS, type WebFault, webServer } from '../support/web-manifests.ts'

/** 50 for the figure in the README (`DROVER_ROLLOUT_KILLS=50 npm test e2e`); fewer where everything else runs too. */
const KILLS = Number(process.env.DROVER_ROLLOUT_KILLS ?? 2)
/** A rollout takes a few seconds here, and its way back as well, so kills fall into every part of both. */
const KILL_WITHIN_MS = 8_000
const EACH = 5
const IMAGE = 'drover-e2e/web:1'
const SIZE = { replicas: EACH, maxSurge: 2, maxUnavailable: 1, minReadySeconds: 2, progressDeadlineSeconds: 6 }
const ORPHANS_GONE = { timeoutMs: 60_000 }

/** What becomes of the web servers in each round; the processes fail in every third. */
const STORY: readonly (WebFault | null)[] = [null, ...WEB_FAULTS.flatMap((fault) => [fault, null])]

const scratch = scratchFolder()
const images = new EngineImages()
let repo: FixtureRepo
let drover: Drover

const manifests = (round: number, web: WebFault | null, plain: 'serves' | 'crashes') => ({
  ...webServer({ ...SIZE, image: IMAGE, version: String(round), fault: web }),
  'plain.yaml': probedProcesses('plain', { ...SIZE, version: String(round), mark: scratch.path, does: plain }),
})

beforeAll(async () => {
  await images.tagExample(IMAGE)
  repo = makeRepo(join(scratch.path, 'repo'))
  commitFiles(repo, manifests(0, null, 'serves'), 'round 0')
  drover = new Drover({ repo: repo.path })
  await drover.start()
  await drover.healthyAt(repo.head())
})

afterAll(async () => {
  await drover.destroy()
  await images.removeTags()
  scratch.remove()
})

const digestOf = async (name: string) => workloadOf(await drover.app(), name)?.inputsDigest

interface Expected {
  readonly commit: string
  readonly name: string
  readonly end: 'complete' | 'rolled back'
  /** Its inputs before the commit. */
  readonly before: string | undefined
}

/** The same end as without a kill: at the new version, or back at the one before after one rollback. */
async function ends({ commit, name, end, before }: Expected): Promise<void> {
  if (end === 'complete') {
    await drover.until(`${name} complete at ${commit}`, (app) => {
      const workload = workloadOf(app, name)
      return workload?.health === 'Healthy' && workload.revision.endsWith(commit) && workload.quarantine === null
    })
    return
  }
  await drover.rolledBackFrom(commit, name)
  expect(await digestOf(name)).toBe(before)
  const back = (await drover.rollouts(name)).filter(({ phase, revision }) => phase === 'RolledBack' && revision.endsWith(commit))
  expect(back.map(({ inputsDigest }) => inputsDigest)).toHaveLength(1)
}

const idsOf = (...pictures: readonly Picture[]) => new Set(pictures.flatMap(({ tasks }) => tasks.map(({ id }) => id)))

/** Nothing runs but the tasks that Drover says run; what was being removed may take a while to be gone. */
async function noOrphans(): Promise<void> {
  const wanted = idsOf(await pictureOf(drover, 'web'), await pictureOf(drover, 'plain'))
  expect(wanted.size).toBe(2 * EACH)
  await waitUntil(async () => (await images.strangers('demo', wanted)).length === 0, ORPHANS_GONE)
  await waitUntil(() => [...taskProcesses(`SUITE=${scratch.path}`).values()].every((task) => wanted.has(task)), ORPHANS_GONE)
}

/** A rollout whose tasks are all ready still has to prove them; until it has, its phase is to change. */
async function staysSo(): Promise<void> {
  const picture = async () => [await pictureOf(drover, 'web'), await pictureOf(drover, 'plain')]
  await waitUntil(async () => (await picture()).every(({ rollouts }) => rollouts.every(({ phase }) => phase !== 'Proving')), ORPHANS_GONE)
  const before = await picture()
  for (let times = 0; times < 3; times += 1) await drover.poll()
  expect(await picture()).toEqual(before)
}

it(
  `${KILLS} kills at random moments of good and bad rollouts of ${EACH} containers and ${EACH} processes: each ends as without a kill`,
  async () => {
    for (let round = 1; round <= KILLS; round += 1) {
      const fault = STORY[round % STORY.length] ?? null
      const plain = round % 3 === 0 ? 'crashes' : 'serves'
      const before = { web: await digestOf('web'), plain: await digestOf('plain') }
      const commit = commitFiles(repo, manifests(round, fault, plain), `round ${round}: ${fault ?? 'good'}, ${plain}`)
      await sleep(Math.random() * KILL_WITHIN_MS)
      await drover.end('SIGKILL')
      await drover.start()
      await ends({ commit, name: 'web', end: fault === null ? 'complete' : 'rolled back', before: before.web })
      await ends({ commit, name: 'plain', end: plain === 'serves' ? 'complete' : 'rolled back', before: before.plain })
      await staysSo()
      await noOrphans()
    }
  },
  KILLS * 40_000 + 60_000,
)
