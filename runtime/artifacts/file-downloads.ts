import { chmod, rename, rm } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import { TerminalError } from '../../src/lib/errors.ts'
import type { FolderLimits } from '../../src/lib/folder-writer.ts'
import type { Logger } from '../../src/lib/log.ts'
import { unpackArchive } from '../../src/lib/unpack-archive.ts'
import type { Download } from '../../src/model/task-spec.ts'
import { createFileCache } from '../file-cache.ts'
import { type DownloadCache, downloadKey } from './downloads.ts'
import { type FetchLimits, fetchFile, shownUrl } from './fetch-file.ts'

/** The deadline is that of image pulls; the silence is longer than any honest server's. */
export const FETCH_LIMITS: FetchLimits = { maxBytes: 2 * 2 ** 30, deadlineMs: 30 * 60_000, silenceMs: 30_000 }
const UNPACK_LIMITS: FolderLimits = { maxBytes: 4 * 2 ** 30, maxFiles: 200_000 }

export interface FileDownloadOptions {
  readonly limits: FetchLimits
  /** Of names; `dns.lookup`. */
  readonly lookup: LookupFunction
  readonly log: Logger
}

/** One file or folder a download under `directory`, named by its checksum and form; nothing of one is used before it is checked. */
export function createFileDownloadCache(directory: string, options: FileDownloadOptions): DownloadCache {
  const cache = createFileCache(directory, (name) => /^[0-9a-f]{64}\.[a-z]+$/.test(name))
  return {
    ensure(download, signal) {
      const fill = (draft: string, until: AbortSignal) => fetchInto(draft, download, { ...options, signal: until })
      return cache.ensure({ name: downloadKey(download), origin: download.url, fill }, signal)
    },
    retain: (keys) => cache.retain(keys),
  }
}

async function fetchInto(draft: string, download: Download, options: FileDownloadOptions & { signal: AbortSignal }): Promise<void> {
  const fetched = `${draft}.fetched`
  const shown = shownUrl(download.url)
  options.log.info({ url: shown, sha256: download.sha256 }, 'fetching artifact')
  try {
    const found = await fetchFile(download.url, fetched, options)
    if (found !== download.sha256) {
      throw new TerminalError('ArtifactMismatch', `${shown} has the sha256 ${found}, and the manifest wants ${download.sha256}`)
    }
    await put(fetched, draft, download)
  } finally {
    await rm(fetched, { force: true })
  }
  options.log.info({ url: shown, sha256: download.sha256 }, 'fetched artifact')
}

async function put(fetched: string, draft: string, { form, url }: Download): Promise<void> {
  if (form !== 'unpacked') {
    await chmod(fetched, form === 'executable' ? 0o755 : 0o644)
    return await rename(fetched, draft)
  }
  try {
    await unpackArchive(fetched, draft, UNPACK_LIMITS)
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error
    throw new TerminalError(error.code, `${shownUrl(url)}: ${error.message}`, { cause: error })
  }
}
