import { expect, it } from 'vitest'
import { stormOf } from '../../src/core/storm.ts'
import type { AgentId } from '../../src/model/ids.ts'
import { agentRecord, NOW } from '../support/make.ts'

const MINUTE = 60_000
/** `h`: heard of. `s`: fell silent a minute ago. `o`: is silent for an hour. `p`: that too, and spared. `c`: cordoned and silent. */
const machines = (text: string) =>
  [...text].map((letter, index) => {
    const silent = (ago: number, spared = false) => ({ silence: { since: NOW - ago, spared } })
    const cordoned = { phase: 'Cordoned' as const, since: NOW, deadlineAt: null, actor: 'ann' }
    const over = {
      h: {},
      s: silent(MINUTE),
      o: silent(60 * MINUTE),
      p: silent(60 * MINUTE, true),
      c: { ...silent(MINUTE), maintenance: cordoned },
    }[letter]
    return agentRecord({ id: `${letter}${index}` as AgentId, ...over })
  })

it.each([
  ['nothing is silent', 'hhhh', 0],
  ['two of two: fewer than three are no storm', 'ss', 0],
  ['two of three', 'ssh', 0],
  ['three of three', 'sss', 3],
  ['three of five', 'ssshh', 3],
  ['three of six: less than 55 %', 'ssshhh', 0],
  ['six of eleven', 'sssssshhhhh', 0],
  ['eleven of twenty', 'ssssssssssshhhhhhhhh', 11],
  ['what is silent for long is broken by itself, and nobody to compare with', 'ooooosssh', 3],
  ['nor does it make a storm', 'ooooohhh', 0],
  ['what is spared stays so however long it lasts', 'ppphh', 3],
  ['and is joined by those that follow', 'ppphss', 5],
  ['until so many are back that it is none', 'pphhh', 0],
  ['what is cordoned counts neither way', 'ccchh', 0],
  ['so that cordoning ends a storm', 'pcchh', 0],
])('%s (%s): %i are spared', (_, text, count) => {
  const storm = stormOf(machines(text), NOW)
  expect(storm).toHaveLength(count)
  expect(storm.every((id) => /^[sp]/.test(id))).toBe(true)
})
