import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskView } from '../../src/model/views.ts'
import { Drover } from '../support/drover.ts'
import { container, processes } from '../support/e2e-manifests.ts'
import { commitFiles, type FixtureRepo, makeRepo, revertCommit, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

/** From the poll that sees a commit to its tasks running, image present: the promise of the README. */
const PUSH_TO_RUNNING_MS = 3_000

const idsOf = (tasks: readonly TaskView[]): string[] => tasks.map((task) => task.id).toSorted()

/** The main job, the same on every store: nothing but `--store` differs. */
export function scenario(name: string, store: () => Promise<{ url: string | undefined; close: () => Promise<void> }>): void {
  describe(`the main job on the ${name} store`, () => {
    const scratch = scratchFolder()
    let repo: FixtureRepo
    let drover: Drover
    let opened: Awaited<ReturnType<typeof store>>
    const running = (workload: string): Promise<TaskView[]> => drover.running(workload)

    beforeAll(async () => {
      opened = await store()
      repo = makeRepo(join(scratch.path, 'repo'))
      const ten = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`p${index}.yaml`, processes(`p${index}`, { version: '1' })]))
      commitFiles(
        repo,
        {
          ...ten,
          'web.yaml': container('web', { version: '1', replicas: 2 }),
          'bridged.yaml': container('bridged', { version: '1', network: 'bridge' }),
        },
        'first',
      )
      drover = new Drover({ repo: repo.path, ...(opened.url === undefined ? {} : { store: opened.url }) })
      await drover.start()
      await drover.healthyAt(repo.head())
    })

    afterAll(async () => {
      await drover.destroy()
      await opened.close()
      scratch.remove()
    })

    it('runs a pushed commit within 3 s of the poll that sees it, and a revert brings the inputs back', async () => {
      const before = { web: await running('web'), p0: await running('p0') }
      const bad = commitFiles(repo, { 'web.yaml': container('web', { version: '2', replicas: 2 }) }, 'second')
      await waitUntil(async () => (await drover.app())?.observedRevision?.endsWith(bad) === true, { timeoutMs: 10_000 })
      const seen = performance.now()
      const after = await drover.healthyAt(bad)
      expect(performance.now() - seen).toBeLessThan(PUSH_TO_RUNNING_MS)
      expect(idsOf(await running('p0'))).toEqual(idsOf(before.p0))
      const reverted = revertCommit(repo, bad)
      const back = await drover.healthyAt(reverted)
      const digest = (app: typeof back) => app.workloads.find((workload) => workload.name === 'web')?.inputsDigest
      expect(digest(back)).not.toBe(digest(after))
      expect(new Set((await running('web')).map((task) => task.inputsDigest))).toEqual(new Set(before.web.map((task) => task.inputsDigest)))
      expect(idsOf(await running('p0'))).toEqual(idsOf(before.p0))
    })

    it('twenty commits that touch one workload never restart another', async () => {
      const others = async () => (await drover.tasks()).filter((task) => task.workload !== 'p1' && task.phase === 'Running')
      const before = await others()
      for (let version = 10; version < 30; version += 1)
        commitFiles(repo, { 'p1.yaml': processes('p1', { version: String(version) }) }, `version ${version}`)
      await drover.healthyAt(repo.head())
      const after = await others()
      expect(idsOf(after)).toEqual(idsOf(before))
      expect(after.map((task) => task.attempt)).toEqual(before.map((task) => task.attempt))
    })

    it('P8: one broken manifest among ten stops nothing and is named with line and column', async () => {
      const before = await running('p2')
      const broken = processes('p2', { version: '2' }).replace('replicas: 1', 'replica: 1')
      const commit = commitFiles(repo, { 'p2.yaml': broken, 'p3.yaml': processes('p3', { version: '2' }) }, 'one broken')
      await waitUntil(async () => (await drover.app())?.lastAttemptedRevision?.endsWith(commit) === true, { timeoutMs: 10_000 })
      await waitUntil(async () => (await drover.app())?.health === 'Healthy', { timeoutMs: 20_000 })
      const app = await drover.app()
      expect(app?.sync).toBe('OutOfSync')
      expect(app?.problems).toMatchObject([{ file: 'p2.yaml', line: 5, column: 3 }])
      expect(app?.problems[0]?.hint).toContain('replicas')
      expect(idsOf(await running('p2'))).toEqual(idsOf(before))
      expect((await running('p3'))[0]?.revision).toContain(commit)
      const mended = commitFiles(repo, { 'p2.yaml': processes('p2', { version: '2' }) }, 'mended')
      expect((await drover.healthyAt(mended)).problems).toEqual([])
    })

    it('holds a commit that empties the path or deletes more than the budget, and says so', async () => {
      const before = idsOf((await drover.tasks()).filter((task) => task.phase === 'Running'))
      const good = repo.head()
      for (const gone of [['p0.yaml', 'p1.yaml', 'p2.yaml', 'p3.yaml', 'p4.yaml'], repo.git('ls-files').split('\n')]) {
        const commit = commitFiles(repo, Object.fromEntries(gone.map((file) => [file, null])), 'too much')
        await waitUntil(async () => (await drover.app())?.observedRevision?.endsWith(commit) === true, { timeoutMs: 10_000 })
        const app = await drover.app()
        expect(app?.sync).toBe('OutOfSync')
        expect(app?.holds.map((hold) => hold.gate)).toEqual([gone.length === 5 ? 'DeletionBudget' : 'EmptySource'])
        expect(idsOf((await drover.tasks()).filter((task) => task.phase === 'Running'))).toEqual(before)
        repo.git('reset', '--hard', '--quiet', good)
        await waitUntil(async () => (await drover.app())?.sync === 'Synced', { timeoutMs: 10_000 })
      }
    })

    it('P9: rolls back with git away, stays there, and the next change lifts it', async () => {
      const [, second] = await drover.history()
      repo.git('branch', '--quiet', '-m', 'main', 'hidden')
      await waitUntil(async () => (await drover.app())?.holds.some((hold) => hold.gate === 'SourceError') === true, { timeoutMs: 10_000 })
      const result = await drover.cli('rollback', 'demo', '--to', String(second?.id))
      expect(result).toMatchObject({ code: 0 })
      await waitUntil(async () => (await drover.app())?.health === 'Healthy', { timeoutMs: 20_000 })
      repo.git('branch', '--quiet', '-m', 'hidden', 'main')
      await waitUntil(async () => (await drover.app())?.holds.some((hold) => hold.gate === 'SourceError') === false, { timeoutMs: 20_000 })
      const app = await drover.app()
      expect(app?.sync).toBe('OutOfSync')
      expect(app?.workloads.filter((workload) => workload.quarantine !== null).length).toBeGreaterThan(0)
      const names = app?.workloads.filter((workload) => workload.quarantine !== null).map((workload) => workload.name) ?? []
      const commit = commitFiles(
        repo,
        Object.fromEntries(names.map((workload) => [`${workload}.yaml`, processes(workload, { version: 'next' })])),
        'next',
      )
      const lifted = await drover.healthyAt(commit)
      expect(lifted.workloads.every((workload) => workload.quarantine === null)).toBe(true)
    })

    it('leaves tasks running when it ends, and adopts them when it comes back', async () => {
      const before = (await drover.tasks()).filter((task) => task.phase === 'Running')
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await drover.end(signal)
        await drover.start()
        await drover.healthyAt(repo.head())
        const after = (await drover.tasks()).filter((task) => task.phase === 'Running')
        expect(idsOf(after)).toEqual(idsOf(before))
        expect(after.map((task) => task.attempt).toSorted()).toEqual(before.map((task) => task.attempt).toSorted())
      }
    })
  })
}
