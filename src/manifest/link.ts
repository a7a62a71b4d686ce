import type { WorkloadKey } from '../model/ids.ts'
import type { SyncPolicy, WorkloadManifest } from '../model/manifest.ts'
import type { Problem } from '../model/records.ts'
import type { SopsDocument } from '../model/secret.ts'
import type { CheckedFile } from './blob.ts'
import { identityText, isWorkload, keyOfIdentity } from './identity.ts'
import { MAX_FILES, MAX_REVISION_PROBLEMS, MAX_TOTAL_SIZE } from './limits.ts'
import { linkApp } from './link-app.ts'
import { dataUsed, type Located, linkWorkloads, type ObjectIndex } from './link-workloads.ts'
import { order, type Place, problemAt } from './problem.ts'
import { treesOf } from './references.ts'
import { capProblems } from './validate.ts'

export type DesiredWorkload = {
  key: WorkloadKey
  file: string
  line: number
  manifest: WorkloadManifest
  /** What it uses of ConfigMaps: by name, then by key. */
  configs: Record<string, Record<string, string>>
  /** The keys it uses of Secrets, by the Secret's name. */
  secrets: Record<string, string[]>
  /** Git folders its artifacts name, from the repository's root. */
  trees: string[]
}

export type DesiredSecret = { namespace: string; name: string; file: string; at: Place; base64: string[]; document: SopsDocument }

/** What a revision says shall run. Only `workloads` may be applied; what `broken` and `unreadable` name must be left as it is. */
export type Desired = {
  /** Null when the revision has no App document: the defaults hold. */
  policy: SyncPolicy | null
  /** True when there is, or may be, an App document that cannot be used: keep the policy that is in force. */
  policyBroken: boolean
  workloads: DesiredWorkload[]
  /** Secrets that can be used, still encrypted. */
  secrets: DesiredSecret[]
  /** Workloads that are known but cannot be used: neither to be changed nor removed. */
  broken: WorkloadKey[]
  /** Files that might hold any workload. While there is one, nothing may be removed. */
  unreadable: string[]
}

export type Linked = { desired: Desired; problems: Problem[] }

function indexObjects(files: readonly CheckedFile[]): ObjectIndex {
  const index = new Map<string, Located[]>()
  for (const { path, documents } of files)
    for (const document of documents) {
      if (document.identity === null) continue
      const name = identityText(document.identity)
      const same = index.get(name)
      if (same === undefined) index.set(name, [{ path, document }])
      else same.push({ path, document })
    }
  return index
}

function duplicates(index: ObjectIndex): Problem[] {
  return [...index].flatMap(([name, [first, ...others]]) => {
    if (first === undefined) return []
    const { line, column } = first.document.at
    const finding = { message: `${name} is defined twice, first at ${first.path}:${line}:${column}`, hint: 'keep one, or rename one' }
    return others.map(({ path, document }) => problemAt(path, document.at, finding))
  })
}

function overLimits(files: readonly CheckedFile[]): Problem | null {
  const size = files.reduce((sum, file) => sum + file.size, 0)
  const first = files[0]
  if (first === undefined || (files.length <= MAX_FILES && size <= MAX_TOTAL_SIZE)) return null
  const message = `the revision has ${files.length} manifest files of ${size} characters; the limits are ${MAX_FILES} and ${MAX_TOTAL_SIZE}`
  return problemAt(first.path, { line: 1, column: 1 }, { message, hint: 'split it into several apps, each with its own path' })
}

const nothing = (files: readonly CheckedFile[]): Desired => ({
  policy: null,
  policyBroken: true,
  workloads: [],
  secrets: [],
  broken: [],
  unreadable: files.map((file) => file.path),
})

function desiredWorkload({ path, document }: Located, index: ObjectIndex): DesiredWorkload[] {
  const { manifest, identity } = document
  const key = identity === null ? null : keyOfIdentity(identity)
  if (manifest === null || !isWorkload(manifest) || key === null) return []
  const secrets = Object.entries(dataUsed(document, 'Secret', index)).map(([name, data]) => [name, Object.keys(data).sort(order)])
  return [
    {
      key,
      file: path,
      line: document.at.line,
      manifest,
      configs: dataUsed(document, 'ConfigMap', index),
      secrets: Object.fromEntries(secrets),
      trees: treesOf(manifest),
    },
  ]
}

function desiredSecret([only, ...others]: readonly Located[]): DesiredSecret[] {
  const { manifest, sops, at } = only?.document ?? {}
  if (only === undefined || at === undefined || others.length > 0 || manifest?.kind !== 'Secret' || !sops) return []
  const { namespace, name } = manifest.metadata
  return [{ namespace, name, file: only.path, at, base64: Object.keys(manifest.data), document: sops }]
}

const byKey = (a: { key: string }, b: { key: string }): number => order(a.key, b.key)

/**
 * Joins the files of one revision: checks that need more than one document, and what it all says shall run.
 * The order of files never matters. A broken document takes only itself out, and a ConfigMap its users.
 * `files` are every file of the app, `path` the app's path, both from the repository's root; `problems` are all, worst cut off at 200.
 */
export function link(files: readonly CheckedFile[], app: { path: string } = { path: '.' }): Linked {
  const sorted = files.filter((file) => file.documents.length > 0 || file.unreadable).sort((a, b) => order(a.path, b.path))
  const excess = overLimits(sorted)
  if (excess !== null) return { desired: nothing(sorted), problems: [excess] }
  const index = indexObjects(sorted)
  const linked = linkWorkloads(
    index,
    sorted.some((file) => file.unreadable),
  )
  const { policy, policyBroken, problems } = linkApp(sorted, app.path)
  const own = sorted.flatMap((file) => file.problems)
  return {
    desired: {
      policy,
      policyBroken,
      secrets: [...index.values()].flatMap(desiredSecret),
      workloads: linked.valid.flatMap((located) => desiredWorkload(located, index)).sort(byKey),
      broken: [...new Set(linked.broken)].sort(order),
      unreadable: sorted.filter((file) => file.unreadable).map((file) => file.path),
    },
    problems: capProblems([...own, ...duplicates(index), ...linked.problems, ...problems], MAX_REVISION_PROBLEMS),
  }
}
