import { bodyOf } from '../../../src/model/body.ts'
import type { AgentId, Millis } from '../../../src/model/ids.ts'
import type { AgentFrame } from '../../../src/model/protocol.ts'
import type { Task } from '../../../src/model/task.ts'
import { replaceAfter } from '../../../src/model/unreachable.ts'
import type { WorkloadVersion } from '../../../src/model/version.ts'
import type { Commit, MakeChecker } from '../checker.ts'
import type { Incarnation } from '../incarnation.ts'
import { isRunning } from '../ledger.ts'
import { changesOf } from '../mirror.ts'

/** What was last heard of an agent, and which life of it said so. */
interface Heard {
  readonly at: Millis
  readonly life: Incarnation | null
}

/**
 * A service is replaced only when this leader has led, and has heard nothing of its machine, for as long as it says; never in a
 * storm; and what its machine must give up by itself is not running there any more, as long as its agent lived and was not stopped.
 */
export const failureChecker: MakeChecker = ({ findings, agents, ledger, now }) => {
  const since = new Map<number, Millis>()
  const heard = new Map<Incarnation, Map<string, Heard>>()
  return {
    leads: (_by, { fence }) => void since.set(fence.epoch, now()),
    delivered({ direction, frame, agent, control }) {
      // A greeting whose connection ended before it was looked at does not count.
      if (direction === 'toAgent' || (frame as AgentFrame).type === 'hello') return
      const life = agents.get(agent as AgentId)?.life ?? null
      heard.set(control, (heard.get(control) ?? new Map<string, Heard>()).set(agent, { at: now(), life }))
    },
    committed(commit) {
      for (const { before, after } of changesOf(commit.changes, 'tasks')) {
        if (before?.desired !== 'run' || after?.stopReason !== 'AgentUnreachable' || after.agent === null) continue
        const version = commit.mirror.version(after.inputsDigest)
        const last = heard.get(commit.by)?.get(after.agent) ?? { at: 0, life: null }
        const silent = Math.min(now() - (since.get(commit.txn.fence?.epoch ?? 0) ?? 0), now() - last.at)
        if (version !== null) checkPatience(after, version, silent)
        checkStorm(commit, after)
        if (version !== null && givesUp(version)) checkGivenUp(after, last)
      }
    },
  }

  function checkPatience(task: Task, version: WorkloadVersion, silent: Millis): void {
    const patience = (replaceAfter(bodyOf(version).template.spec.unreachable, version.kind) ?? Number.POSITIVE_INFINITY) * 1000
    // What a rollout says now counts, also for what is left of the version before.
    if (silent < Math.min(patience, 60_000))
      findings.report('ReplacedIsSilent', `${task.id} was replaced after ${silent} ms, ${patience} are promised`)
  }

  function checkStorm({ mirror }: Commit, task: Task): void {
    const spared = [...mirror.table('agents').values()].filter(({ silence }) => silence?.spared === true)
    if (spared.length > 0) findings.report('StormSpares', `${task.id} was replaced while ${spared.length} machines are spared`)
  }

  function checkGivenUp(task: Task, { at, life }: Heard): void {
    const agent = agents.get(task.agent as AgentId)
    if (agent === undefined || life === null || agent.life !== life || life.pausedUntil > at) return
    const running = ledger.of(task.id).find((one) => one.agent === agent && isRunning(one, now()))
    if (running !== undefined) findings.report('GivesUpFirst', `${task.id} was replaced while it runs on ${agent.id}`)
  }
}

const givesUp = (version: WorkloadVersion): boolean => bodyOf(version).template.spec.unreachable?.stopLocalAfterSeconds !== undefined
