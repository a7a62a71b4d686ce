import { LRUCache } from 'lru-cache'
import type { Wanted } from '../../core/sync.ts'
import { templateInputs } from '../../core/template-inputs.ts'
import type { GitRepository, TreeFile } from '../../git/git-backend.ts'
import { GitError } from '../../git/git-backend.ts'
import { digestOf } from '../../lib/canonical.ts'
import type { CheckedFile } from '../../manifest/blob.ts'
import { type Desired, type DesiredWorkload, link } from '../../manifest/link.ts'
import { isManifestPath } from '../../manifest/parse.ts'
import { versionOf } from '../../manifest/version.ts'
import type { Digest, Oid, WorkloadKey } from '../../model/ids.ts'
import type { SyncPolicy, WorkloadManifest } from '../../model/manifest.ts'
import type { Problem } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { sealInputs, type Vault } from './vault.ts'

/** Checks one manifest file, off the leader's main thread in production. */
export interface ManifestParser {
  parse(path: string, text: string): Promise<CheckedFile>
  close(): Promise<void>
}

/** Checked files remembered by path and blob, so a commit costs what it changes. */
const FILES_REMEMBERED = 20_000

export interface RenderedApp {
  readonly policy: SyncPolicy | null
  /** A policy is there but cannot be read: the one before it stays. */
  readonly policyBroken: boolean
  readonly workloads: readonly RenderedWorkload[]
  readonly broken: readonly WorkloadKey[]
  readonly problems: readonly Problem[]
  /** Trees that tasks of this revision ship. */
  readonly trees: readonly Oid[]
}

interface RenderedWorkload {
  readonly wanted: Wanted
  readonly version: WorkloadVersion
  /** As written, with defaults filled in. */
  readonly manifest: WorkloadManifest
}

export class Renderer {
  readonly #parser: ManifestParser
  readonly #vault: Vault
  readonly #checked = new LRUCache<string, CheckedFile>({ max: FILES_REMEMBERED })

  constructor(parser: ManifestParser, vault: Vault) {
    this.#parser = parser
    this.#vault = vault
  }

  /** Everything an app's path holds at a commit, resolved and hashed. @throws GitError when git cannot say. */
  async render(repo: GitRepository, at: { commit: Oid; path: string }, signal: AbortSignal): Promise<RenderedApp> {
    const root = await repo.treeAt(at.commit, at.path)
    const { files, refused } = await repo.files(root, signal)
    const checked: CheckedFile[] = []
    for (const file of files)
      if (isManifestPath(file.path)) checked.push(await this.#check(repo, { ...file, path: fromRoot(at.path, file.path) }, signal))
    const { desired, problems } = link(checked, { path: at.path })
    const refusals = refused
      .filter(isManifestPath)
      .map((file) =>
        problemOf(
          fromRoot(at.path, file),
          'is a symbolic link or submodule, or has a name with control characters; Drover reads none of these',
          'commit a regular file with a plain name',
        ),
      )
    return this.#resolve(desired, [...problems, ...refusals], (folder) => repo.treeAt(at.commit, folder))
  }

  /** The same for files that are in no commit, with trees from where the caller says. */
  async renderFiles(files: readonly { path: string; text: string }[], treeOf: (folder: string) => Promise<Oid>): Promise<RenderedApp> {
    const checked: CheckedFile[] = []
    for (const file of files) checked.push(await this.#parser.parse(file.path, file.text))
    const { desired, problems } = link(checked)
    return this.#resolve(desired, problems, treeOf)
  }

  /** Folders that artifacts name become tree ids, and Secrets are opened; what cannot be had is a mistake of its users alone. */
  async #resolve(desired: Desired, problems: readonly Problem[], treeOf: (folder: string) => Promise<Oid>): Promise<RenderedApp> {
    const oids = new Map<string, Oid | null>()
    for (const folder of new Set(desired.workloads.flatMap(({ trees }) => trees))) oids.set(folder, await treeOrNull(folder, treeOf))
    const secrets = await sealInputs(desired, this.#vault)
    const lacking = desired.workloads.filter(({ trees }) => trees.some((folder) => oids.get(folder) === null))
    const sound = desired.workloads.filter((workload) => !lacking.includes(workload) && secrets.of(workload) !== null)
    return {
      policy: desired.policy,
      policyBroken: desired.policyBroken,
      workloads: sound.map((workload) => rendered(workload, oids, secrets.of(workload) ?? {})),
      broken: [...desired.broken, ...desired.workloads.filter((workload) => !sound.includes(workload)).map(({ key }) => key)],
      problems: [...problems, ...secrets.problems, ...lacking.map((workload) => lackingProblem(workload, oids))],
      trees: [...new Set([...oids.values()].filter((oid): oid is Oid => oid !== null))],
    }
  }

  async #check(repo: GitRepository, file: TreeFile, signal: AbortSignal): Promise<CheckedFile> {
    const key = `${file.oid} ${file.path}`
    const known = this.#checked.get(key)
    if (known !== undefined) return known
    signal.throwIfAborted()
    const checked = await this.#parser.parse(file.path, new TextDecoder().decode(await repo.blob(file.oid)))
    // What could not be read may have met a busy machine: the next look tries again.
    if (!checked.unreadable) this.#checked.set(key, checked)
    return checked
  }
}

const fromRoot = (folder: string, file: string): string => (folder === '.' || folder === '' ? file : `${folder}/${file}`)

async function treeOrNull(folder: string, treeOf: (folder: string) => Promise<Oid>): Promise<Oid | null> {
  try {
    return await treeOf(folder)
  } catch (error) {
    if (error instanceof GitError && error.code === 'MissingPath') return null
    throw error
  }
}

type Secrets = NonNullable<WorkloadVersion['secrets']>

function rendered(workload: DesiredWorkload, oids: ReadonlyMap<string, Oid | null>, secrets: Secrets): RenderedWorkload {
  const trees = Object.fromEntries(workload.trees.flatMap((folder) => entryOf(folder, oids.get(folder))))
  const version = versionOf(workload.manifest, {
    configs: workload.configs,
    trees,
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
  })
  return {
    wanted: {
      key: workload.key,
      inputsDigest: digestOf(version),
      templateDigest: templateDigestOf(version),
      file: workload.file,
      appliesTo: version.kind === 'Job' && version.spec.runPolicy === 'EveryRevision' ? 'Revision' : 'Change',
    },
    version,
    manifest: workload.manifest,
  }
}

function entryOf(folder: string, oid: Oid | null | undefined): [string, Oid][] {
  return oid === null || oid === undefined ? [] : [[folder, oid]]
}

/** What decides whether a running task is still right; a change of `replicas` alone does not. Names it too, for runs are named after it. */
export function templateDigestOf(version: WorkloadVersion): Digest {
  const { kind, namespace, name } = version
  return digestOf({ kind, namespace, name, ...templateInputs(version) })
}

function lackingProblem(workload: DesiredWorkload, oids: ReadonlyMap<string, Oid | null>): Problem {
  const folder = workload.trees.find((tree) => oids.get(tree) === null) ?? ''
  return {
    ...problemOf(workload.file, `artifact folder ${folder} is not in this commit`, 'give a folder from the root of the repository'),
    line: workload.line,
  }
}

function problemOf(file: string, message: string, hint: string): Problem {
  return { file, line: 1, column: 1, message, hint }
}
