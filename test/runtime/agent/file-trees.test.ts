import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createFileTreeCache } from '../../../runtime/file-trees.ts'
import { packTree } from '../../../src/lib/tree-pack.ts'
import type { Oid } from '../../../src/model/ids.ts'
import { waitUntil } from '../../support/wait-until.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-trees-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const oid = (n: number): Oid => n.toString(16).padStart(40, '0') as Oid
const never = new AbortController().signal

async function* files(content: string) {
  yield { path: 'bin/run', mode: 'executable' as const, content: Buffer.from(content) }
}

/** A control plane that counts what it is asked for. */
function source() {
  const asked: Oid[] = []
  const fetch = async (tree: Oid) => {
    asked.push(tree)
    return packTree(files(`content of ${tree}`))
  }
  return { asked, fetch }
}

const kept = async (): Promise<string[]> => (await readdir(directory)).filter((name) => name !== 'tmp')

it('fetches a tree once, for all who ask at the same time and for all later agents', async () => {
  const { asked, fetch } = source()
  const cache = createFileTreeCache(directory)
  const folders = await Promise.all(Array.from({ length: 5 }, () => cache.ensure(oid(1), { fetch, signal: never })))
  expect(new Set(folders).size).toBe(1)
  expect(await readFile(join(folders[0] ?? '', 'bin/run'), 'utf8')).toBe(`content of ${oid(1)}`)
  await createFileTreeCache(directory).ensure(oid(1), { fetch, signal: never })
  expect(asked).toEqual([oid(1)])
})

it('keeps nothing of a fetch that was cut, and fetches again', async () => {
  const { fetch } = source()
  const cache = createFileTreeCache(directory)
  const cut = async function* () {
    for await (const chunk of packTree(files('long'))) {
      yield chunk.subarray(0, 10)
      return
    }
  }
  await expect(cache.ensure(oid(1), { fetch: async () => cut(), signal: never })).rejects.toThrow('cut off')
  expect(await kept()).toEqual([])
  await cache.ensure(oid(1), { fetch, signal: never })
  expect(await kept()).toEqual([oid(1)])
})

it('does not take what a crash left for a tree', async () => {
  await mkdir(join(directory, 'tmp', oid(1)), { recursive: true })
  await writeFile(join(directory, 'tmp', oid(1), 'half'), 'half')
  const { fetch } = source()
  const folder = await createFileTreeCache(directory).ensure(oid(1), { fetch, signal: never })
  expect(await readdir(folder)).toEqual(['bin'])
})

it('lets one give up without cutting off the others, and ends the fetch when all have', async () => {
  const cache = createFileTreeCache(directory)
  const seen = new Map<Oid, AbortSignal>()
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const fetch = async (tree: Oid, signal: AbortSignal) => {
    seen.set(tree, signal)
    await opened
    signal.throwIfAborted()
    return packTree(files(tree))
  }
  const stayed = cache.ensure(oid(1), { fetch, signal: never })
  const alone = new AbortController()
  const lonely = cache.ensure(oid(2), { fetch, signal: alone.signal }).catch((error: unknown) => String(error))
  await waitUntil(() => seen.size === 2)
  const impatient = new AbortController()
  const gaveUp = cache.ensure(oid(1), { fetch, signal: impatient.signal }).catch((error: unknown) => String(error))
  impatient.abort('gave up')
  alone.abort('gave up')
  expect(await gaveUp).toBe('gave up')
  expect(await lonely).toBe('gave up')
  expect([seen.get(oid(1))?.aborted, seen.get(oid(2))?.aborted]).toEqual([false, true])
  open()
  expect(await stayed).toBe(join(directory, oid(1)))
  const { fetch: again } = source()
  expect(await cache.ensure(oid(2), { fetch: again, signal: never })).toBe(join(directory, oid(2)))
})

it('keeps what is in use and the ten most recently used others', async () => {
  const { fetch } = source()
  const cache = createFileTreeCache(directory)
  for (let n = 1; n <= 14; n += 1) await cache.ensure(oid(n), { fetch, signal: never })
  await cache.ensure(oid(2), { fetch, signal: never })
  await Promise.all([cache.retain(new Set([oid(1)])), cache.retain(new Set([oid(1)]))])
  expect((await kept()).sort()).toEqual([1, 2, ...Array.from({ length: 9 }, (_, index) => index + 6)].map(oid).sort())
})
