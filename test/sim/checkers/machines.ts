import type { FakeRecord } from '../../../runtime/drivers/fake/machine.ts'
import { healthAt } from '../../../runtime/drivers/fake/script.ts'
import { isLive } from '../../../src/core/task-state.ts'
import { bodyOf } from '../../../src/model/body.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import type { Task } from '../../../src/model/task.ts'
import type { AgentNode } from '../agent-node.ts'
import type { CheckContext, MakeChecker } from '../checker.ts'
import { isRunning } from '../ledger.ts'
import { changesOf, type Mirror } from '../mirror.ts'

/** The ledger of all machines: what really started and stopped, against what was committed before. */
export const machinesChecker: MakeChecker = (context) => {
  const { findings, mirror } = context
  /** Every machine a task was ever given to. */
  const placed = new Map<TaskId, AgentId>()
  const starts = new Map<string, number>()
  return {
    committed({ changes }) {
      for (const { after } of changesOf(changes, 'tasks'))
        if (after !== undefined && after.agent !== null) placed.set(after.id, after.agent)
    },
    started(agent, record) {
      const key = `${record.task}.${record.attempt}`
      const times = (starts.get(key) ?? 0) + 1
      starts.set(key, times)
      if (times > 1) findings.report('OneStartPerAttempt', `${key} started ${times} times`)
      if (placed.get(record.task) !== agent.id)
        findings.report('StartIsCommitted', `${agent.id} started ${key}, which was given to ${placed.get(record.task) ?? 'nobody'}`)
      checkAlone(context, agent, record)
      checkExclusive(context, agent, record)
    },
    stopped(agent, record) {
      if (record.startedAt === null || record.stoppedAt === null || wasUnhealthy(record, record.stoppedAt)) return
      const task = mirror.table('tasks').get(record.task)
      if (task !== undefined && mayRestart(task, mirror)) return
      const live = task !== undefined && isLive({ task, observed: mirror.table('observed').get(record.task) })
      if (live && task.agent === agent.id) findings.report('StopIsOrdered', `${agent.id} stopped ${record.task}, which is wanted`)
    },
  }
}

/** Its agent asks whether it lives, and an answer that comes too late is none. */
function mayRestart({ inputsDigest }: Task, mirror: Mirror): boolean {
  const version = mirror.version(inputsDigest)
  if (version === null) return false
  const { containers, processes, unreachable } = bodyOf(version).template.spec
  const isProbed = (containers ?? processes ?? []).some(({ livenessProbe }) => livenessProbe !== undefined)
  return isProbed || unreachable?.stopLocalAfterSeconds !== undefined
}

/** Its agent may stop it by itself, to start it again. */
const wasUnhealthy = (record: FakeRecord, at: number): boolean => healthAt({ ...record, stoppedAt: null }, at) === 'unhealthy'

/** Of an exclusive run no number has two attempts running, whatever run they are of. */
function checkExclusive({ findings, ledger, mirror, now }: CheckContext, on: AgentNode, started: FakeRecord): void {
  const task = mirror.table('tasks').get(started.task)
  if (task === undefined || !isExclusive(task, mirror)) return
  for (const { task: twin } of mirror.tasksOf(task.workload)) {
    if (twin.id === task.id || twin.slot !== task.slot || !isExclusive(twin, mirror)) continue
    for (const other of ledger.of(twin.id))
      if (isRunning(other, now()))
        findings.report('ExclusiveIsAlone', `${task.id} started on ${on.id} while ${twin.id} runs on ${other.agent.id}`)
  }
}

function isExclusive({ inputsDigest }: Task, mirror: Mirror): boolean {
  const version = mirror.version(inputsDigest)
  const body = version === null ? null : bodyOf(version)
  return body !== null && 'exclusive' in body && body.exclusive
}

/** No attempt of a task runs beside another, here or on any other machine. */
function checkAlone({ findings, ledger, now }: CheckContext, on: AgentNode, { task, attempt }: FakeRecord): void {
  for (const other of ledger.of(task)) {
    if ((other.agent === on && other.record.attempt === attempt) || !isRunning(other, now())) continue
    const there = `attempt ${other.record.attempt} on ${other.agent.id}`
    findings.report('NeverTwoRunning', `${task} runs as ${there} and as ${attempt} on ${on.id}`)
  }
}
