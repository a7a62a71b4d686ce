import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, normalize, resolve } from 'node:path'
import { MAX_FILE_BYTES } from '../manifest/limits.ts'
import { isManifestPath } from '../manifest/parse.ts'
import type { CliDeps, ManifestFile } from './deps.ts'
import { CliError, EXIT, messageOf } from './exit.ts'

export interface SourceOptions {
  readonly repo?: string
  readonly ref?: string
  readonly path?: string
}

export interface Source {
  /** Null for files from disk. */
  readonly revision: string | null
  /** Folder of the app, which every path begins with. */
  readonly path: string
  readonly files: readonly ManifestFile[]
}

/** Manifests out of a repository at a commit, or of files and folders on disk; without either of the working folder. */
export async function readSource(deps: CliDeps, words: readonly string[], options: SourceOptions): Promise<Source> {
  if (options.repo === undefined) return readDisk(deps, words.length > 0 ? words : [options.path ?? '.'])
  if (words.length > 0) throw new CliError(EXIT.usage, 'give FILES or --repo, not both')
  const path = options.path ?? '.'
  const { revision, files } = await deps.readRepo({ repo: options.repo, ref: options.ref ?? null, path })
  return nonEmpty({ revision, path, files }, [`${options.repo} ${path}`])
}

async function readDisk(deps: CliDeps, words: readonly string[]): Promise<Source> {
  const found = await Promise.all(words.map((word) => manifestPaths(deps.cwd, normalize(word))))
  const paths = [...new Set(found.flat())].sort()
  const files = await Promise.all(paths.map((path) => readManifest(deps, path)))
  return nonEmpty({ revision: null, path: folderOf(words, paths), files }, words)
}

function nonEmpty(source: Source, words: readonly string[]): Source {
  if (source.files.length > 0) return source
  throw new CliError(
    EXIT.usage,
    `there is no manifest in ${words.join(', ')}`,
    'manifests are files whose names end in .yaml, .yml or .json',
  )
}

/** One folder given is the app's; of files it is the folder that all are in, or the working folder. */
function folderOf(words: readonly string[], paths: readonly string[]): string {
  const [only] = words
  if (words.length === 1 && only !== undefined && paths[0] !== normalize(only)) return trimmed(normalize(only))
  const folders = new Set(paths.map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/')))))
  const [folder = ''] = folders
  return folders.size === 1 && folder !== '' ? folder : '.'
}

const trimmed = (path: string): string => (path === '/' ? path : path.replace(/\/+$/, ''))

async function manifestPaths(cwd: string, path: string): Promise<string[]> {
  const info = await onDisk(path, () => stat(resolve(cwd, path)))
  if (!info.isDirectory()) return [path]
  const entries = await onDisk(path, () => readdir(resolve(cwd, path), { withFileTypes: true }))
  const nested = await Promise.all(entries.filter(isOurs).map((entry) => entryPaths(cwd, path, entry)))
  return nested.flat()
}

/** Links are not followed, as git does not follow them; hidden folders and dependencies hold no manifests. */
const isOurs = (entry: Dirent): boolean =>
  !entry.name.startsWith('.') && entry.name !== 'node_modules' && (entry.isFile() || entry.isDirectory())

async function entryPaths(cwd: string, folder: string, entry: Dirent): Promise<string[]> {
  const path = folder === '.' ? entry.name : join(folder, entry.name)
  if (entry.isDirectory()) return manifestPaths(cwd, path)
  return isManifestPath(entry.name) ? [path] : []
}

/** @throws CliError 2 for what is too large, or cannot be read. */
export async function readManifest({ cwd }: CliDeps, path: string): Promise<ManifestFile> {
  const full = resolve(cwd, path)
  const info = await onDisk(path, () => stat(full))
  if (info.size > MAX_FILE_BYTES) throw new CliError(EXIT.usage, `${path} has ${info.size} bytes; a manifest has at most ${MAX_FILE_BYTES}`)
  return { path, text: await onDisk(path, () => readFile(full, 'utf8')) }
}

/** @throws CliError 2 for what cannot be read. */
export async function onDisk<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    // Node adds the call and the whole path, of which the user gave us just this part.
    throw new CliError(EXIT.usage, `${path} cannot be read: ${messageOf(error).replace(/, \w+ '.*'$/s, '')}`)
  }
}
