import { describe, expect, it } from 'vitest'
import { askerOf, refusalOf } from '../../../runtime/artifacts/addresses.ts'

const LOOPBACK = ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1']

describe('an address', () => {
  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'febf::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '168.63.129.16',
    '100.100.100.200',
    '192.0.0.192',
    '0.0.0.0',
    '::',
    '224.0.0.1',
    'ff02::1',
    '255.255.255.255',
  ])('%s is never fetched from, not even when the manifest names loopback', (address) => {
    expect(refusalOf(address, 'elsewhere')).toContain(address)
    expect(refusalOf(address, 'loopback')).toContain(address)
  })

  it.each(LOOPBACK)('%s is fetched from only when the manifest names loopback', (address) => {
    expect(refusalOf(address, 'elsewhere')).toContain('this machine itself')
    expect(refusalOf(address, 'loopback')).toBeNull()
  })

  it.each(['192.0.2.7', '10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', '1.1.1.1', '2001:db8::1', 'fd00::1', '168.63.129.17'])(
    '%s is fetched from, for stores of one own lie in private networks',
    (address) => {
      expect(refusalOf(address, 'elsewhere')).toBeNull()
    },
  )
})

it.each([
  ['http://127.0.0.1:80/x', 'loopback'],
  ['http://127.1/x', 'loopback'],
  ['http://2130706433/x', 'loopback'],
  ['http://[::1]/x', 'loopback'],
  ['http://LOCALHOST/x', 'loopback'],
  ['http://localhost.example/x', 'elsewhere'],
  ['http://127.0.0.1.example/x', 'elsewhere'],
  ['http://10.0.0.1/x', 'elsewhere'],
])('%s names %s', (url, expected) => {
  expect(askerOf(new URL(url).hostname)).toBe(expected)
})
