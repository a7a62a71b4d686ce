import { isOpen } from '../../src/core/returns.ts'
import { statusOf } from '../../src/core/task-life.ts'
import { isLive, isTerminal } from '../../src/core/task-state.ts'
import { bodyOf } from '../../src/model/body.ts'
import type { WorkloadKey } from '../../src/model/ids.ts'
import type { Run } from '../../src/model/records.ts'
import { TERMINAL } from '../../src/model/task.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'
import type { AppView } from '../../src/model/views.ts'
import type { AgentNode } from './agent-node.ts'
import { isRunning } from './checkers/machines.ts'
import { APP, type ControlNode } from './control-node.ts'
import { EPOCH } from './incarnation.ts'
import type { Script } from './manifests.ts'
import type { Mirror } from './mirror.ts'
import type { World } from './world.ts'

/** What is not yet as it should be, once nothing disturbs any more; empty: all is at rest. */
export async function checkSettled(world: World): Promise<string[]> {
  const leader = world.controls.find((node) => node.life !== null && leads(node))
  if (leader?.control == null) return ['nobody leads']
  const app = leader.control.plane.apps().find(({ name }) => name === APP)
  if (app === undefined) return ['the app is not there']
  const agents = await Promise.all(world.agents.map((agent) => agentTroubles(world, agent)))
  return [
    ...appTroubles(world, app),
    ...workloadTroubles(world).map((trouble) => withReasons(trouble, leader)),
    ...rolloutTroubles(world),
    ...agents.flat(),
    ...memoryTroubles(world, leader),
  ]
}

/** What `drover why` would add. */
function withReasons(trouble: string, { control }: ControlNode): string {
  const view = control?.plane.workloads().find(({ kind, name }) => trouble.includes(`/${kind}/${name} `))
  return view === undefined ? trouble : `${trouble} (${view.health}: ${view.reasons.map(({ message }) => message).join(', ')})`
}

function leads({ control }: ControlNode): boolean {
  try {
    control?.plane.version()
    return control !== null
  } catch {
    return false
  }
}

/** Synced with the head, or held for a reason that the head gives. */
function appTroubles({ git, mirror }: World, app: AppView): string[] {
  const { info, model } = git.head
  const missing = model.folder === 'Missing'
  if (missing) return app.holds.some(({ gate }) => gate === 'SourceError') ? [] : ['a head without the folder is not told']
  if (!(app.observedRevision ?? '').endsWith(info.oid)) return [`the head ${info.oid} is not seen, but ${app.observedRevision}`]
  if (app.holds.some(({ gate }) => gate === 'SourceError')) return ['the source still counts as failed']
  if (app.sync !== 'Synced' && app.holds.length === 0) return [`the app is ${app.sync} without a reason`]
  if (app.holds.length > 0 || isOpenRevision(mirror)) return []
  const wanted = model.folder === 'Empty' ? '' : [...model.workloads.keys()].sort().join(' ')
  const live = [...mirror.table('workloads').keys()].sort().join(' ')
  return wanted === live ? [] : [`synced, but git wants ${wanted} and the store has ${live}`]
}

/** An atomic revision that is not healthy yet keeps what it removes. */
function isOpenRevision(mirror: Mirror): boolean {
  const newest = [...mirror.table('revisions').values()].filter(({ outcome }) => outcome !== 'Rejected').sort((a, b) => b.id - a.id)[0]
  return newest !== undefined && newest.deadlineAt !== null && isOpen(newest)
}

/** Each has ended, or waits for a person or for what it depends on. */
function rolloutTroubles({ mirror }: World): string[] {
  return [...mirror.table('rollouts').values()].flatMap(({ id, state, to }) => {
    const waits = state.phase === 'Waiting' && (mirror.version(to.inputsDigest)?.spec.dependsOn.length ?? 0) > 0
    const isOpen =
      state.phase === 'Rolling' ||
      (state.phase === 'Paused' && state.until !== null) ||
      state.phase === 'Waiting' ||
      state.phase === 'Proving'
    return isOpen && !waits ? [`rollout ${id} is still ${state.phase}`] : []
  })
}

function workloadTroubles(world: World): string[] {
  const { mirror } = world
  return [...mirror.table('workloads').values()].flatMap((record) => {
    if (!record.wanted) return isOpenRevision(mirror) ? [] : [`${record.key} is still being removed`]
    const version = mirror.version(record.inputsDigest)
    if (version === null) return [`${record.key} has no body`]
    if (isExcused(record.key, world, new Set())) return []
    if (version.kind === 'CronJob') return cronTroubles(world, record.key)
    return version.kind === 'Deployment' ? deploymentTroubles(world, record.key, version) : jobTroubles(world, record.key)
  })
}

function scriptOf(version: WorkloadVersion): Script | null {
  const { containers, processes } = bodyOf(version).template.spec
  const fake = (containers ?? processes)?.[0]?.fake
  return (fake as Script | undefined) ?? null
}

/** Its script makes it fail, or it waits for one whose script does. */
function isExcused(key: WorkloadKey, world: World, seen: Set<WorkloadKey>): boolean {
  const record = world.mirror.table('workloads').get(key)
  const version = record === undefined ? null : world.mirror.version(record.inputsDigest)
  if (version === null || seen.has(key)) return true
  seen.add(key)
  const script = scriptOf(version)
  if (script !== null && isBad(script)) return true
  if (isHeld(key, world)) return true
  if (version.kind === 'Job' && (script?.exitCode ?? 0) !== 0) return true
  const run = [...world.mirror.table('runs').values()].find((one) => one.workload === key && one.templateDigest === record?.templateDigest)
  if (run !== undefined && isNotItsFault(run, world)) return true
  const targets = version.spec.dependsOn.map(({ kind, name }) => `default/${kind}/${name}` as WorkloadKey)
  const inVain = record?.intent === 'Update' && targets.some((target) => isTakenBack(target, world))
  return inVain || targets.some((target) => isExcused(target, world, seen))
}

/** A task that was lost with its agent's memory uses up an attempt, for nobody knows how far it came. */
function isNotItsFault({ id, workload, phase, reason, attempts }: Run, { mirror }: World): boolean {
  if (phase !== 'Failed') return false
  if (reason === 'Superseded' || reason === 'Removed' || attempts.every(({ exitCode }) => exitCode === 0)) return true
  return mirror.tasksOf(workload).some(({ task, observed }) => task.run === id && observed?.phase === 'Lost')
}

/** What runs instead is well, but it is not what its revision says, and those that wait want that. */
function isTakenBack(key: WorkloadKey, { mirror }: World): boolean {
  const entry = mirror.table('quarantine').get(key)
  return entry !== undefined && entry.revisionId !== null && entry.bad !== null
}

const isBad = (script: Script): boolean =>
  script.failStart === true ||
  script.crashAfterSeconds !== undefined ||
  script.unhealthyAfterSeconds !== undefined ||
  (script.readyAfterSeconds ?? 0) > 1000

/** A person is to say how it goes on: at a canary step, or after a failure that the policy holds. */
function isHeld(key: WorkloadKey, { mirror }: World): boolean {
  const record = mirror.table('workloads').get(key)
  const rollout = [...mirror.table('rollouts').values()].find(
    ({ workload, generation }) => workload === key && generation === record?.generation,
  )
  if (rollout?.state.phase === 'Paused') return rollout.state.until === null
  const version = record === undefined ? null : mirror.version(record.inputsDigest)
  return rollout?.state.phase === 'Failed' && version?.kind === 'Deployment' && version.spec.onFailure === 'Hold'
}

function jobTroubles({ mirror }: World, key: WorkloadKey): string[] {
  const record = mirror.table('workloads').get(key)
  const run = [...mirror.table('runs').values()].find((one) => one.workload === key && one.templateDigest === record?.templateDigest)
  const version = record === undefined ? null : mirror.version(record.inputsDigest)
  const forEver = version !== null && scriptOf(version)?.runForSeconds === undefined
  if (run === undefined) return [`${key} has no run`]
  if (run.phase === 'Suspended' && version?.kind === 'Job' && version.spec.suspend) return []
  if (run.phase === 'Succeeded' || (forEver && run.phase === 'Running')) return []
  return [`run ${run.id} is ${run.phase}: ${run.reason}`]
}

/** Longer than any script takes, its retries included. */
const MOST_RUN_MS = 300_000

/** Slots go on for ever, so that a run is at rest while it may still be on its way. */
function cronTroubles({ mirror, scheduler }: World, key: WorkloadKey): string[] {
  const open = [...mirror.table('runs').values()].filter((run) => run.workload === key && run.finishedAt === null)
  return open
    .filter(({ createdAt }) => createdAt + MOST_RUN_MS < EPOCH + scheduler.now)
    .map(({ id, phase }) => `run ${id} is ${phase} for more than ${MOST_RUN_MS} ms`)
}

function deploymentTroubles(world: World, key: WorkloadKey, version: Extract<WorkloadVersion, { kind: 'Deployment' }>): string[] {
  const { mirror } = world
  const record = mirror.table('workloads').get(key)
  const slots =
    version.spec.mode === 'Global'
      ? world.agents.map(({ id }): string => id)
      : Array.from({ length: version.spec.replicas }, (_, index) => String(index))
  const live = mirror.tasksOf(key).filter(isLive)
  const serving = live.filter(
    (state) => state.task.templateDigest === record?.templateDigest && state.observed?.phase === 'Running' && state.observed.ready,
  )
  const real = serving.filter(({ task }) => {
    const agent = world.agents.find(({ id }) => id === task.agent)
    return agent?.machine.history().some((one) => one.task === task.id && isRunning(agent, one, world.scheduler.now))
  })
  const [have, want] = [
    real
      .map(({ task }) => task.slot)
      .sort()
      .join(' '),
    [...slots].sort().join(' '),
  ]
  if (have === want && live.length === slots.length) return []
  return [`${key} serves in slots [${have}] of [${want}] with ${live.length} live tasks`]
}

/** No orphan on the machine, and all that its agent wrote down of its tasks is known. */
async function agentTroubles({ mirror, scheduler }: World, agent: AgentNode): Promise<string[]> {
  const tasks = mirror.table('tasks')
  const observed = mirror.table('observed')
  const orphans = agent.machine.history().filter((record) => {
    const task = tasks.get(record.task)
    const wanted = task?.agent === agent.id && !isTerminal({ task, observed: observed.get(record.task) })
    return !wanted && isRunning(agent, record, scheduler.now)
  })
  // What an agent forgot with its disk and has ended long ago is swept at its next connection only.
  const traces = agent.lostDisk ? [] : await agent.machine.list()
  const unknown = traces.filter((record) => tasks.get(record.task)?.agent !== agent.id)
  const { entries } = await agent.journal.load()
  // A full disk may keep an entry of a task that is gone; the agent's next start forgets it.
  const unheard = entries.flatMap(({ state }) => {
    if (!tasks.has(state.task)) return []
    const said = statusOf(state)
    const heard = observed.get(state.task)
    const settled = TERMINAL.has(said.phase) || said.phase === 'Running'
    const known = heard !== undefined && (TERMINAL.has(heard.phase) || (heard.phase === said.phase && heard.attempt === said.attempt))
    return settled && !known ? [`${agent.id} has ${state.task} as ${said.phase}, the store as ${heard?.phase}`] : []
  })
  return [
    ...orphans.map((record) => `${record.task}.${record.attempt} is an orphan on ${agent.id}`),
    ...unknown.map((record) => `${record.task}.${record.attempt} was left behind on ${agent.id}`),
    ...unheard,
  ]
}

/** The leader's memory says what the store says. */
function memoryTroubles({ mirror }: World, { control }: ControlNode): string[] {
  const remembered = (control?.plane.tasks() ?? [])
    .map(({ id }) => id)
    .sort()
    .join(' ')
  const stored = [...mirror.table('tasks').keys()].sort().join(' ')
  return remembered === stored ? [] : ['the leader remembers other tasks than the store holds']
}
