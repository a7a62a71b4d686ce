import type { Download } from '../../src/model/task-spec.ts'

/** Files from elsewhere on this machine, by checksum and form: read-only, shared by tasks. */
export interface DownloadCache {
  /** The path of the file, or of the folder it was unpacked to; fetched if it is not there. @throws RetryableError, TerminalError */
  ensure(download: Download, signal: AbortSignal): Promise<string>
  /** These, by `downloadKey`, are in use; of the others only the most recently used few are kept. */
  retain(keys: ReadonlySet<string>): Promise<void>
}

/** The URL is no part of it: the same file from another mirror is there already. */
export const downloadKey = ({ sha256, form }: Download): string => `${sha256}.${form}`

/** For the simulator: fetches and keeps nothing. The path exists only as a name. */
export function createMemoryDownloadCache(): DownloadCache {
  return {
    ensure: async (download) => `/downloads/${downloadKey(download)}`,
    retain: async () => undefined,
  }
}
