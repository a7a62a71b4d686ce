import { describe, expect, it } from 'vitest'
import { Witness } from '../../src/store/etcd/witness.ts'

const answer = (revision: string, cluster_id = 'c') => ({ cluster_id, member_id: 'm', revision, raft_term: '1' })
const replaced = (message: string) => expect.objectContaining({ code: 'StoreReplaced', message: expect.stringContaining(message) })
const thrownBy = (call: () => void): unknown => {
  try {
    call()
    return null
  } catch (error) {
    return error
  }
}

describe('a witness of an etcd', () => {
  it('L3: knows one that went back, by an answer older than what was known when it was asked', () => {
    const witness = new Witness()
    witness.check(answer('9'), witness.revision)
    const floor = witness.revision
    witness.check(answer('10'), floor)
    expect(thrownBy(() => witness.check(answer('9'), witness.revision))).toEqual(replaced('at revision 9, and was at 10'))
  })

  it('lets answers overtake each other on their way', () => {
    const witness = new Witness()
    witness.check(answer('10'), '0')
    const floor = witness.revision
    witness.check(answer('12'), floor)
    witness.check(answer('11'), floor)
    expect(witness.revision).toBe('12')
  })

  it('L4: knows another cluster at the same address, whatever its revision', () => {
    const witness = new Witness()
    witness.check(answer('10'), '0')
    expect(thrownBy(() => witness.check(answer('99', 'other'), '10'))).toEqual(replaced('cluster other answers where c did'))
    expect(witness.revision).toBe('10')
  })
})
