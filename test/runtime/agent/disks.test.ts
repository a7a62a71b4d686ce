import type { StatsFs } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createDisks, percentUsed } from '../../../runtime/disks.ts'
import { hasCode } from '../../../src/lib/errors.ts'
import { silentLog } from '../../../src/lib/log.ts'

/** Of a hundred blocks and inodes. */
const disk = (over: Partial<StatsFs>): StatsFs => ({
  type: 0,
  bsize: 4096,
  blocks: 100,
  bfree: 50,
  bavail: 50,
  files: 100,
  ffree: 50,
  ...over,
})

describe('how full a disk is', () => {
  it.each([
    ['half of it', {}, 50],
    ['bytes', { bfree: 10, bavail: 10 }, 90],
    ['what only root may fill does not count as room', { bfree: 10, bavail: 0 }, 100],
    ['inodes', { ffree: 5 }, 95],
    ['a file system that counts no inodes', { files: 0, ffree: 0 }, 50],
    ['a file system without blocks', { blocks: 0, bfree: 0, bavail: 0 }, 50],
  ])('A8: %s', (_, over, percent) => expect(percentUsed(disk(over))).toBe(percent))
})

it('A8: a machine under DiskPressure says so from 90 % on, until less than 85 % is used', async () => {
  const used = { bfree: 11 }
  const disks = createDisks({ stateDir: '/state', statfs: async () => disk({ bfree: used.bfree, bavail: used.bfree }), log: silentLog })
  const codes: (string | undefined)[] = []
  for (used.bfree of [11, 10, 0, 15, 16, 11]) codes.push((await disks.pressure([]))[0]?.code)
  expect(codes).toEqual([undefined, 'DiskPressure', 'DiskPressure', 'DiskPressure', undefined, undefined])
})

it('A8: names what is full, and leaves out what is not on this machine', async () => {
  const gone = Object.assign(new Error('no such folder'), { code: 'ENOENT' })
  const statfs = async (path: string): Promise<StatsFs> => {
    if (path === '/elsewhere') throw gone
    return disk(path === '/var/lib/docker' ? { bfree: 7, bavail: 7 } : {})
  }
  const disks = createDisks({ stateDir: '/state', statfs, log: silentLog })
  expect(hasCode(gone, 'ENOENT')).toBe(true)
  expect(await disks.pressure(['/elsewhere'])).toEqual([])
  expect(await disks.pressure(['/var/lib/docker'])).toEqual([{ code: 'DiskPressure', message: '/var/lib/docker is 93 % full', count: 1 }])
})
