import { bodyOf } from '../../../src/model/body.ts'
import type { AgentId, Millis } from '../../../src/model/ids.ts'
import type { AgentFrame } from '../../../src/model/protocol.ts'
import type { Observed, Task } from '../../../src/model/task.ts'
import { replaceAfter } from '../../../src/model/unreachable.ts'
import type { Commit, MakeChecker } from '../checker.ts'
import type { Incarnation } from '../incarnation.ts'
import { changesOf, type Mirror } from '../mirror.ts'

/** The shortest silence after which a state counts as unknown, as promised; and the grace of a new leader. */
const UNREACHABLE_AFTER: Millis = 40_000

/**
 * INV-5: a task is given up for the silence of its machine only when this leader has led, and has heard nothing of the machine,
 * for as long as the workload says, and never before the state of an agent counts as unknown.
 */
export const silenceChecker: MakeChecker = ({ findings, mirror, now }) => {
  /** By epoch: since when it leads. */
  const since = new Map<number, Millis>()
  /** By control plane and agent: when anything reached it of an agent that it does not refuse. */
  const heard = new Map<Incarnation, Map<string, Millis>>()
  /** By agent: the state directory that it last greeted with. */
  const greeted = new Map<string, string>()
  return {
    leads: (_by, { fence }) => void since.set(fence.epoch, now()),
    delivered({ direction, frame, agent, control }) {
      if (direction === 'toAgent') return
      const said = frame as AgentFrame
      if (said.type === 'hello') greeted.set(agent, said.agent.instance)
      const known = mirror.table('agents').get(agent as AgentId)?.instance
      if (known !== undefined && known !== greeted.get(agent)) return
      heard.set(control, (heard.get(control) ?? new Map<string, Millis>()).set(agent, now()))
    },
    committed(commit) {
      const { epoch } = commit.txn.fence ?? {}
      if (epoch === undefined) return
      const led = now() - (since.get(epoch) ?? 0)
      for (const { before, after } of changesOf(commit.changes, 'observed')) {
        if (after === undefined || !isGivenUp(before, after)) continue
        const silent = now() - (heard.get(commit.by)?.get(after.agent) ?? 0)
        const least = patienceOf(commit, after)
        if (Math.min(led, silent) < least)
          findings.report(
            'LostIsSilent',
            `${after.task} was given up ${silent} ms after ${after.agent} was heard of, ${led} ms after an election; ${least} ms are promised`,
          )
      }
    },
  }
}

const isGivenUp = (before: Observed | undefined, after: Observed): boolean =>
  before?.phase !== 'Lost' && after.phase === 'Lost' && after.reasons.some(({ code }) => code === 'AgentUnreachable')

function patienceOf({ mirror }: Commit, { task }: Observed): Millis {
  const record = mirror.table('tasks').get(task)
  // What was told to stop is given up whether or not its workload waits for machines.
  return Math.max(UNREACHABLE_AFTER, record?.desired === 'run' ? replacedAfter(record, mirror) : 0)
}

function replacedAfter({ inputsDigest }: Task, mirror: Mirror): Millis {
  const version = mirror.version(inputsDigest)
  if (version === null) return 0
  return (replaceAfter(bodyOf(version).template.spec.unreachable, version.kind) ?? Number.POSITIVE_INFINITY) * 1000
}
