import { expect, it } from 'vitest'
import { createEpochGuard } from '../../../runtime/epoch-guard.ts'
import { createMemoryJournal, NEW_AGENT } from '../../../runtime/journal.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { Epoch } from '../../../src/model/ids.ts'

const orders = (epoch: number) => ({ type: 'assignments' as const, epoch: epoch as Epoch, full: false, tasks: [], gone: [] })

it('obeys the newest leader though the disk is full, and greets with no epoch that a crash would make it forget', async () => {
  const memory = createMemoryJournal()
  const disk = { full: true }
  const journal: typeof memory = {
    ...memory,
    saveAgent: async (notes) => {
      if (disk.full) throw new Error('no space left on device')
      await memory.saveAgent(notes)
    },
  }
  const guard = createEpochGuard(NEW_AGENT, { journal, log: silentLog })
  expect(await guard.accepts(orders(3))).toBe(true)
  expect(await guard.accepts(orders(2))).toBe(false)
  expect(guard.remembered()).toBe(0)
  disk.full = false
  expect(await guard.accepts(orders(3))).toBe(true)
  expect(guard.remembered()).toBe(3)
  expect((await memory.load()).agent).toEqual({ epoch: 3 })
})
