import { describe, expect, it } from 'vitest'
import type { TaskId } from '../../src/model/ids.ts'
import { workloadKey } from '../../src/model/ids.ts'
import type { Quarantine } from '../../src/model/records.ts'
import type { Task } from '../../src/model/task.ts'
import { decodeItem, encodeWrite } from '../../src/store/codec.ts'
import { parseRecordKey, recordKey, tablePrefix } from '../../src/store/keys.ts'
import { aTask } from './a-task.ts'

const web = workloadKey('default', 'Deployment', 'web')

describe('keys', () => {
  it('name a record by table and id, slashes and all', () => {
    expect(recordKey('workloads', web)).toBe('workloads/default/Deployment/web')
    expect(parseRecordKey('workloads/default/Deployment/web')).toEqual({ table: 'workloads', id: 'default/Deployment/web' })
    expect(recordKey('tasks', 'a').startsWith(tablePrefix('tasks'))).toBe(true)
  })

  it.each(['leader', 'cluster', 'blobs/ab/0', 'tasks', 'tasks/', '/tasks/a', '', 'constructor/a'])('see no record in %j', (key) => {
    expect(parseRecordKey(key)).toBeNull()
  })
})

describe('records', () => {
  it('come back as they were written', () => {
    const value = aTask('t1')
    const op = encodeWrite({ table: 'tasks', id: value.id, value })
    if (op.op !== 'put') throw new Error('a record is put')
    expect(op.key).toBe('tasks/t1')
    expect(decodeItem(op)).toEqual({ table: 'tasks', id: 't1', value })
  })

  it('are deleted by null', () => {
    expect(encodeWrite({ table: 'quarantine', id: web, value: null })).toEqual({ op: 'delete', key: `quarantine/${web}` })
  })

  it('leave keys of no table alone', () => {
    expect(decodeItem({ key: 'leader', value: 'not JSON' })).toBeNull()
  })

  it.each([
    ['no JSON', '{"id":'],
    ['a wrong type', JSON.stringify({ ...aTask('t1'), generation: 'one' })],
    ['a missing field', JSON.stringify({ id: 't1' satisfies string as TaskId })],
    ['nothing', 'null'],
  ])('are refused by key when they hold %s', (_, value) => {
    expect(() => decodeItem({ key: 'tasks/t1', value })).toThrow(/tasks\/t1/)
    expect(() => decodeItem({ key: 'tasks/t1', value })).toThrow(expect.objectContaining({ code: 'BadRecord' }))
  })

  it('tell which field is wrong', () => {
    const value = JSON.stringify({ ...aTask('t1'), generation: 'one' } satisfies Omit<Task, 'generation'> & { generation: string })
    expect(() => decodeItem({ key: 'tasks/t1', value })).toThrow(/generation/)
  })

  it('check as strictly in every table', () => {
    const value: Partial<Quarantine> = { workload: web }
    expect(() => decodeItem({ key: `quarantine/${web}`, value: JSON.stringify(value) })).toThrow(/quarantine/)
  })
})
