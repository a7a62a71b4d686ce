import { expect, it } from 'vitest'
import { LogTickets } from '../../../src/control/agents/log-tickets.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import type { LogLine } from '../../../src/model/protocol.ts'

const AGENT = 'web-1' as AgentId
const OTHER = 'web-2' as AgentId

const line = (text: string): LogLine => ({ stream: 'stdout', at: null, text })
const never = () => new Promise<never>(() => undefined)

async function* story(...texts: string[]): AsyncGenerator<LogLine> {
  for (const text of texts) yield line(text)
}

async function* silence(): AsyncGenerator<LogLine> {
  yield await never()
}

async function read(lines: AsyncIterable<LogLine>, most = Number.POSITIVE_INFINITY): Promise<string[]> {
  const texts: string[] = []
  for await (const { text } of lines) if (texts.push(text) >= most) break
  return texts
}

const open = () => {
  const tickets = new LogTickets()
  const reader = new AbortController()
  return { tickets, reader, lines: tickets.lines({ ticket: 't', agent: AGENT }, reader.signal) }
}

it('joins the reader with the agent, whoever comes first', async () => {
  const early = open()
  const delivered = early.tickets.deliver('t', story('a', 'b'), null)
  expect(await read(early.lines)).toEqual(['a', 'b'])
  await delivered
  const late = open()
  const reading = read(late.lines)
  await late.tickets.deliver('t', story('c'), null)
  expect(await reading).toEqual(['c'])
})

it('takes a ticket once, and none that nobody holds', async () => {
  const { tickets, lines } = open()
  const [, texts] = await Promise.all([tickets.deliver('t', story('a'), null), read(lines)])
  expect(texts).toEqual(['a'])
  await expect(tickets.deliver('t', story('again'), null)).rejects.toMatchObject({ code: 'NotFound' })
  await expect(tickets.deliver('other', story('a'), null)).rejects.toMatchObject({ code: 'NotFound' })
})

it('takes lines only from the agent that was asked, and waits on for it', async () => {
  const { tickets, lines } = open()
  await expect(tickets.deliver('t', story('forged'), OTHER)).rejects.toMatchObject({ code: 'NotFound' })
  const [, texts] = await Promise.all([tickets.deliver('t', story('true'), AGENT), read(lines)])
  expect(texts).toEqual(['true'])
})

it('lets the agent go when the reader has had enough', async () => {
  const { tickets, lines } = open()
  const delivered = tickets.deliver('t', story('a', 'b', 'c'), null)
  expect(await read(lines, 1)).toEqual(['a'])
  await delivered
})

it('ends for a reader that aborts, also while no line comes, and before the agent does', async () => {
  const waiting = open()
  const reading = read(waiting.lines)
  const delivered = waiting.tickets.deliver('t', silence(), null)
  waiting.reader.abort()
  expect(await reading).toEqual([])
  await delivered
  const lonely = open()
  const alone = read(lonely.lines)
  lonely.reader.abort()
  expect(await alone).toEqual([])
  await expect(lonely.tickets.deliver('t', story('late'), null)).rejects.toMatchObject({ code: 'NotFound' })
})

it('lets the agent go when the reader aborts without having read', async () => {
  const { tickets, reader } = open()
  const delivered = tickets.deliver('t', silence(), null)
  reader.abort()
  await delivered
})

it('tells the reader when the agent’s stream breaks', async () => {
  const { tickets, lines } = open()
  async function* broken(): AsyncGenerator<LogLine> {
    yield line('a')
    throw new Error('the connection broke')
  }
  const delivered = tickets.deliver('t', broken(), null)
  await expect(read(lines)).rejects.toThrow('the connection broke')
  await delivered
})
