import { z } from 'zod'
import { ClusterIdentity } from './records.ts'

/** Changes when older programs could not read what is written. */
const FORMAT = 1

/** The lines of a backup, one JSON value each: a header, every key of the store at one revision, and an end without which it is torn. */
export const BackupHeader = z.object({
  drover: z.literal('backup'),
  format: z.literal(FORMAT),
  cluster: ClusterIdentity,
  /** Of the store, when it was read. */
  revision: z.string().regex(/^\d+$/),
  /** Milliseconds since 1970. */
  takenAt: z.number(),
  /** Of the program that took it. */
  version: z.string(),
})
export type BackupHeader = z.infer<typeof BackupHeader>

export const BackupItem = z.object({ key: z.string().min(1), value: z.string() })
export type BackupItem = z.infer<typeof BackupItem>

/** `sha256` in hex, of all lines before with their line ends. */
export const BackupEnd = z.object({ items: z.number().int(), sha256: z.string() })
export type BackupEnd = z.infer<typeof BackupEnd>

export type BackupLine = BackupHeader | BackupItem | BackupEnd

export interface Backup {
  readonly header: BackupHeader
  readonly items: readonly BackupItem[]
}

export const backupHeader = (header: Omit<BackupHeader, 'drover' | 'format'>): BackupHeader => ({
  drover: 'backup',
  format: FORMAT,
  ...header,
})
