import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFileJournal } from '../../../runtime/file-journal.ts'
import { createMemoryJournal, type Journal } from '../../../runtime/journal.ts'
import { newEntry } from '../../../runtime/task-runner.ts'
import type { Epoch, TaskId } from '../../../src/model/ids.ts'
import { fakeSpec } from './world.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-journal-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const entry = (task: string, attempt: number | null = null) =>
  newEntry({ task: task as TaskId, generation: 1, desired: 'run', spec: fakeSpec() }, attempt)

/** A journal, and the same one as the next agent would find it. */
const journals: Record<string, () => Promise<{ journal: Journal; again: () => Promise<Journal> }>> = {
  files: async () => ({ journal: await createFileJournal(directory), again: () => createFileJournal(directory) }),
  memory: async () => {
    const journal = createMemoryJournal()
    return { journal, again: async () => journal }
  },
}

describe.each(Object.entries(journals))('a journal (%s)', (_name, open) => {
  it('gives back what was saved last, and not what was forgotten', async () => {
    const { journal, again } = await open()
    await journal.save(entry('a'))
    await journal.save(entry('a', 7))
    await journal.save(entry('b'))
    await journal.save(entry('c'))
    await journal.forget('b' as TaskId)
    await journal.forget('b' as TaskId)
    await journal.saveAgent({ epoch: 5 as Epoch })
    const { agent, entries, damaged } = await (await again()).load()
    expect(entries).toEqual([entry('a', 7), entry('c')])
    expect({ agent, damaged }).toEqual({ agent: { epoch: 5 }, damaged: [] })
  })

  it('begins empty, with no leader ever seen', async () => {
    expect(await (await open()).journal.load()).toEqual({ agent: { epoch: 0 }, entries: [], damaged: [] })
  })

  it('keeps the last of many saves of one task at once', async () => {
    const { journal, again } = await open()
    await Promise.all(Array.from({ length: 20 }, (_, index) => journal.save(entry('a', index + 1))))
    expect((await (await again()).load()).entries).toEqual([entry('a', 20)])
  })
})

describe('the files', () => {
  it('belong to the agent alone', async () => {
    const journal = await createFileJournal(join(directory, 'journal'))
    await journal.save(entry('a'))
    const mode = async (path: string) => (await stat(join(directory, 'journal', path))).mode & 0o777
    expect([await mode('.'), await mode('tasks'), await mode('tasks/a.json')]).toEqual([0o700, 0o700, 0o600])
  })

  it.each([
    ['torn', (text: string) => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    ['of an unknown shape', () => '{"assignment":{}}'],
    ['of another task', (text: string) => text.replaceAll('"b"', '"x"')],
  ])('that are %s are put aside and reported, and the others are read', async (_name, damage) => {
    const journal = await createFileJournal(directory)
    for (const task of ['a', 'b', 'c']) await journal.save(entry(task))
    const path = join(directory, 'tasks', 'b.json')
    const damagedText = damage(await readFile(path, 'utf8'))
    await writeFile(path, damagedText)
    const { entries, damaged } = await (await createFileJournal(directory)).load()
    expect(entries.map(({ state }) => state.task)).toEqual(['a', 'c'])
    expect(damaged).toEqual([expect.stringContaining('b.json')])
    expect(await readFile(join(directory, 'damaged', 'b.json'), 'utf8')).toBe(damagedText)
    expect((await (await createFileJournal(directory)).load()).damaged).toEqual([])
  })

  it('of a write that a crash cut short change nothing', async () => {
    const journal = await createFileJournal(directory)
    await journal.save(entry('a', 3))
    await writeFile(join(directory, 'tasks', 'a.json.tmp'), '{"half":')
    await writeFile(join(directory, 'tasks', 'new.json.tmp'), '{"half":')
    const { entries, damaged } = await (await createFileJournal(directory)).load()
    expect(entries).toEqual([entry('a', 3)])
    expect(damaged).toEqual([])
    expect(await readdir(join(directory, 'tasks'))).toEqual(['a.json'])
  })

  it('of an agent that knew no probes are read as of tasks whose health is not known', async () => {
    const lives = [
      { phase: 'Running', ref: 'r', startedAt: 5, ready: true },
      { phase: 'Stopping', ref: 'r', startedAt: 5 },
      { phase: 'Recovering', was: 'Running', startedAt: 5, ready: true },
    ]
    for (const life of lives) {
      const { images: _images, lastLines: _lines, ...state } = entry('a').state
      await createFileJournal(directory)
      await writeFile(join(directory, 'tasks', 'a.json'), JSON.stringify({ ...entry('a'), state: { ...state, life } }))
      const { entries, damaged } = await (await createFileJournal(directory)).load()
      expect(damaged).toEqual([])
      expect(entries[0]?.state).toMatchObject({ images: {}, lastLines: [], life })
      if (life.phase !== 'Stopping') expect(entries[0]?.state.life).toMatchObject({ startup: 'pending', unready: null })
      if (life.phase !== 'Running') expect(entries[0]?.state.life).toMatchObject({ because: null })
    }
  })

  it('of an agent that measured no memory are read as of attempts of which none is known', async () => {
    const record = { attempt: 1, exitCode: 0, signal: null, reason: 'Completed', message: null, startedAt: 1, finishedAt: 2 }
    await createFileJournal(directory)
    const old = { ...entry('a'), state: { ...entry('a').state, records: [record] } }
    await writeFile(join(directory, 'tasks', 'a.json'), JSON.stringify(old))
    const { entries } = await (await createFileJournal(directory)).load()
    expect(entries[0]?.state.records).toEqual([{ ...record, peakMemoryBytes: null }])
  })

  it('of the agent itself may be damaged too: it then has seen no leader', async () => {
    const journal = await createFileJournal(directory)
    await journal.save(entry('a'))
    await writeFile(join(directory, 'notes.json'), 'garbage')
    const { agent, entries, damaged } = await (await createFileJournal(directory)).load()
    expect(agent).toEqual({ epoch: 0 })
    expect(entries).toHaveLength(1)
    expect(damaged).toHaveLength(1)
  })
})
