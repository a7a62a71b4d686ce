import { expect, it } from 'vitest'
import { createSemaphore } from '../../src/lib/semaphore.ts'

const never = new AbortController().signal

function gate() {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

it('lets in as many as it may, the others in the order they asked', async () => {
  const semaphore = createSemaphore(2)
  const gates = Array.from({ length: 5 }, gate)
  const entered: number[] = []
  const work = gates.map((one, index) =>
    semaphore.run(async () => {
      entered.push(index)
      await one.opened
    }, never),
  )
  await Promise.resolve()
  expect(entered).toEqual([0, 1])
  gates[1]?.open()
  await work[1]
  expect(entered).toEqual([0, 1, 2])
  for (const one of gates) one.open()
  await Promise.all(work)
  expect(entered).toEqual([0, 1, 2, 3, 4])
})

it('gives the place on when the work fails', async () => {
  const semaphore = createSemaphore(1)
  await expect(semaphore.run(() => Promise.reject(new Error('broken')), never)).rejects.toThrow('broken')
  expect(await semaphore.run(async () => 'in', never)).toBe('in')
})

it('lets one that gives up leave the line, and does not interrupt one that is in', async () => {
  const semaphore = createSemaphore(1)
  const first = gate()
  const inside = new AbortController()
  const running = semaphore.run(async () => await first.opened, inside.signal)
  const impatient = new AbortController()
  const waiting = semaphore.run(async () => 'never', impatient.signal)
  const patient = semaphore.run(async () => 'in', never)
  impatient.abort(new Error('gave up'))
  inside.abort()
  await expect(waiting).rejects.toThrow('gave up')
  first.open()
  await running
  expect(await patient).toBe('in')
})
