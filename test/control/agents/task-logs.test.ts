import { expect, it } from 'vitest'
import { LogTickets } from '../../../src/control/agents/log-tickets.ts'
import { openLogs } from '../../../src/control/agents/task-logs.ts'
import { bodyOf } from '../../../src/model/body.ts'
import type { LogOptions } from '../../../src/model/protocol.ts'
import { deploymentVersion, observed, task } from '../../support/make.ts'

const said = observed({ attempt: 2 })
const one = task({ id: said.task })
const all: LogOptions = { unit: null, attempt: null, tail: null, since: null, until: null, follow: false }

function ask(options: Partial<LogOptions>, name: string = one.id): unknown[] {
  const sent: unknown[] = []
  const cluster = {
    tasks: new Map([[one.id, one]]),
    observed: new Map([[one.id, said]]),
    versions: new Map([[one.inputsDigest, deploymentVersion()]]),
  }
  const send = (_: unknown, frame: unknown) => {
    sent.push(frame)
    return 'Sent' as const
  }
  const hub = { send }
  const request = { task: name, options: { ...all, ...options }, term: { cluster, hub }, tickets: new LogTickets(), newId: () => 'ticket' }
  openLogs(request, AbortSignal.abort())
  return sent
}

const unit = bodyOf(deploymentVersion()).template.spec.containers?.[0]?.name ?? ''

it('asks the agent of the task', () => {
  expect(ask({ attempt: 2, unit, tail: 3 })).toEqual([
    { type: 'logs', ticket: 'ticket', task: one.id, options: { unit, attempt: 2, tail: 3, since: null, until: null, follow: false } },
  ])
})

it.each([
  ['an attempt that never was', { attempt: 3 }, `task ${one.id} has no attempt 3; the last is 2`],
  ['a container that it has not', { unit: 'nope' }, `no container or process is named nope; there is ${unit}`],
])('refuses %s, where no line would say nothing', (_, options, message) => {
  expect(() => ask(options)).toThrow(expect.objectContaining({ code: 'NotFound', message }))
})

it('refuses a task that is not there', () => {
  expect(() => ask({}, 'nope')).toThrow(expect.objectContaining({ code: 'NotFound', message: 'no task nope' }))
})
