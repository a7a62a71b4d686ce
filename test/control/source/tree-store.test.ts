import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createFileTreeStore } from '../../../src/control/source/tree-store.ts'
import { oid } from '../../support/make.ts'

const TREE = oid('tree')
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'drover-trees-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    await new Promise((resolve) => setImmediate(resolve))
    yield Buffer.from(text)
  }
}

async function textOf(packed: AsyncIterable<Uint8Array> | null): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of packed ?? []) parts.push(part)
  return Buffer.concat(parts).toString()
}

it('keeps a tree whole that two ask for at once', async () => {
  const trees = createFileTreeStore(directory)
  await Promise.all([trees.put(TREE, chunks('one', 'two', 'three')), trees.put(TREE, chunks('one', 'two', 'three'))])
  expect(await textOf(await trees.open(TREE))).toBe('onetwothree')
  expect(readdirSync(directory)).toEqual([`${TREE}.pack`])
})

it('shows nothing of a tree that was cut off, and takes it again', async () => {
  const trees = createFileTreeStore(directory)
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('one')
    throw new Error('git went away')
  }
  await expect(trees.put(TREE, cut())).rejects.toThrow('git went away')
  expect(await trees.has(TREE)).toBe('No')
  expect(readdirSync(directory)).toEqual([])
  await trees.put(TREE, chunks('whole'))
  expect(await textOf(await trees.open(TREE))).toBe('whole')
})
