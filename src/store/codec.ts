import { messageOf, TerminalError } from '../lib/errors.ts'
import { TABLES, type Write } from '../model/records.ts'
import { parseRecordKey, recordKey } from './keys.ts'
import type { Item, Op } from './store.ts'

/** A write that puts a record: what a stored item decodes to. */
export type StoredRecord = Exclude<Write, { value: null }>

export function encodeWrite(write: Write): Op {
  const key = recordKey(write.table, write.id)
  return write.value === null ? { op: 'delete', key } : { op: 'put', key, value: JSON.stringify(write.value) }
}

/**
 * The record an item holds; null when its key belongs to no table.
 * @throws TerminalError `BadRecord`, naming the key, when the value does not fit the table's schema.
 */
export function decodeItem(item: Pick<Item, 'key' | 'value'>): StoredRecord | null {
  const place = parseRecordKey(item.key)
  if (place === null) return null
  const parsed = TABLES[place.table].safeParse(parseJson(item))
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
    throw badRecord(item.key, issues)
  }
  return { ...place, value: parsed.data } as StoredRecord
}

function parseJson(item: Pick<Item, 'key' | 'value'>): unknown {
  try {
    return JSON.parse(item.value)
  } catch (error) {
    throw badRecord(item.key, messageOf(error))
  }
}

const badRecord = (key: string, detail: string) => new TerminalError('BadRecord', `the store holds a bad record at ${key}: ${detail}`)
