import { describe, expect, it } from 'vitest'
import { parseStoreUrl } from '../../src/store/url.ts'

describe('parseStoreUrl', () => {
  it.each([
    ['memory', { kind: 'memory' }],
    ['embedded', { kind: 'embedded' }],
    ['etcd://h1', { kind: 'etcd', hosts: ['h1:2379'], root: '/drover/v1/' }],
    ['etcd://h1:2379,h2/prefix', { kind: 'etcd', hosts: ['h1:2379', 'h2:2379'], root: '/prefix/' }],
    ['etcd://10.0.0.1:1/a/b/', { kind: 'etcd', hosts: ['10.0.0.1:1'], root: '/a/b/' }],
    ['etcd://[::1],[fe80::1]:4001/', { kind: 'etcd', hosts: ['[::1]:2379', '[fe80::1]:4001'], root: '/drover/v1/' }],
  ])('reads %s', (url, expected) => {
    expect(parseStoreUrl(url)).toEqual(expected)
  })

  it.each([
    '',
    'etcd',
    'etcd://',
    'etcd://,h',
    'etcd://h1,',
    'etcd:///prefix',
    'http://h1',
    'etcd://h:port',
    'etcd://u:p@h',
    'etcd://h/a b',
  ])('refuses %j with a hint', (url) => {
    expect(() => parseStoreUrl(url)).toThrow(/use embedded, memory or etcd:\/\//)
  })
})
