import { TABLES, type Table } from '../model/records.ts'

/** Where everything of one cluster lives in etcd unless the URL says otherwise. */
export const DEFAULT_ROOT = '/drover/v1/'

/** Whose store this is; written once all the rest is there. */
export const IDENTITY_KEY = 'cluster'
/** There while a restore is under way, or was interrupted: what is beside it is not whole. */
export const RESTORING_KEY = 'restoring'
/** Held under a lease by who leads. */
export const LEADER_KEY = 'leader'
/** Changes with every turn of a leader. */
export const TURN_KEY = 'turn'

/** `tasks/ID`; ids may hold slashes. Keys are relative to the store's root. */
export const recordKey = (table: Table, id: string): string => `${table}/${id}`

/** Prefix of every key of a table. */
export const tablePrefix = (table: Table): string => `${table}/`

/** The table and id of a record's key; null for any other key (`leader`, `blobs/...`). */
export function parseRecordKey(key: string): { table: Table; id: string } | null {
  const slash = key.indexOf('/')
  const table = key.slice(0, Math.max(0, slash))
  return isTable(table) && slash + 1 < key.length ? { table, id: key.slice(slash + 1) } : null
}

const isTable = (name: string): name is Table => Object.hasOwn(TABLES, name)
