import { exitAt } from '../../runtime/drivers/fake/script.ts'
import { isOpen } from '../../src/core/returns.ts'
import { statusOf } from '../../src/core/task-life.ts'
import { isLive, isTerminal } from '../../src/core/task-state.ts'
import { must } from '../../src/lib/must.ts'
import { bodyOf } from '../../src/model/body.ts'
import type { TaskId, WorkloadKey } from '../../src/model/ids.ts'
import type { Run } from '../../src/model/records.ts'
import { TERMINAL } from '../../src/model/task.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'
import type { AppView } from '../../src/model/views.ts'
import type { AgentNode } from './agent-node.ts'
import { textOf } from './checkers/desired.ts'
import { APP, type ControlNode } from './control-node.ts'
import type { InvariantName } from './invariants.ts'
import { isRunning, type Started } from './ledger.ts'
import type { Script } from './manifests.ts'
import type { Mirror } from './mirror.ts'
import type { Trouble } from './violation.ts'
import type { World } from './world.ts'

/** What is not yet as it should be, once nothing disturbs any more; empty: all is at rest. */
export async function checkSettled(world: World): Promise<Trouble[]> {
  const leader = world.controls.find((node) => leads(node))
  if (leader?.control == null) return about('ComesToRest', ['nobody leads'])
  const app = leader.control.plane.apps().find(({ name }) => name === APP)
  if (app === undefined) return about('ComesToRest', ['the app is not there'])
  const troubles = [
    ...about('ComesToRest', appTroubles(world, app)),
    ...about('OwnedIsInventory', inventoryTroubles(world, app)),
    ...about('AppliedIsCommitted', contentTroubles(world, app)),
    ...about(
      'ComesToRest',
      workloadTroubles(world).map((trouble) => withReasons(trouble, leader)),
    ),
    ...about('ComesToRest', rolloutTroubles(world)),
    ...about('MemoryIsStore', memoryTroubles(world, leader)),
  ]
  return troubles.length > 0 ? troubles : machineTroubles(world, world.agents)
}

/** Reads their disks, so it is asked last. */
export async function machineTroubles(world: World, agents: Iterable<AgentNode>): Promise<Trouble[]> {
  return (await Promise.all([...agents].map((agent) => agentTroubles(world, agent)))).flat()
}

export const about = (invariant: InvariantName, messages: readonly string[]): Trouble[] =>
  messages.map((message) => ({ invariant, message }))

/** What `drover why` would add. */
function withReasons(trouble: string, { control }: ControlNode): string {
  const view = control?.plane.workloads().find(({ kind, name }) => trouble.includes(`/${kind}/${name} `))
  return view === undefined ? trouble : `${trouble} (${view.health}: ${view.reasons.map(({ message }) => message).join(', ')})`
}

/** Asked over its API, it answers. */
export function leads({ life, control }: ControlNode): boolean {
  if (life === null) return false
  try {
    control?.plane.version()
    return control !== null
  } catch {
    return false
  }
}

/** Synced with the head, or held for a reason that the head gives. */
export function appTroubles({ git }: World, app: AppView): string[] {
  const { info, model } = git.head
  const missing = model.folder === 'Missing'
  if (missing) return app.holds.some(({ gate }) => gate === 'SourceError') ? [] : ['a head without the folder is not told']
  if (!(app.observedRevision ?? '').endsWith(info.oid)) return [`the head ${info.oid} is not seen, but ${app.observedRevision}`]
  if (app.holds.some(({ gate }) => gate === 'SourceError')) return ['the source still counts as failed']
  if (app.sync !== 'Synced' && app.holds.length === 0) return [`the app is ${app.sync} without a reason`]
  return []
}

/** What is in the store is what the head names. */
function inventoryTroubles({ git, mirror }: World, app: AppView): string[] {
  const { info, model } = git.head
  if (model.folder === 'Missing' || app.sync !== 'Synced' || !(app.observedRevision ?? '').endsWith(info.oid)) return []
  if (app.holds.length > 0 || isOpenRevision(mirror)) return []
  const wanted = model.folder === 'Empty' ? '' : [...model.workloads.keys()].sort().join(' ')
  const live = [...mirror.table('workloads').keys()].sort().join(' ')
  return wanted === live ? [] : [`synced, but git wants ${wanted} and the store has ${live}`]
}

/** Each runs what its author wrote in the head, unless that is held back. */
function contentTroubles({ git, mirror, templates }: World, app: AppView): string[] {
  const { info, model } = git.head
  if (app.holds.length > 0 || app.sync !== 'Synced' || !(app.observedRevision ?? '').endsWith(info.oid)) return []
  return [...mirror.table('workloads').values()].flatMap(({ key, wanted, templateDigest }) => {
    const [said, runs] = [textOf(key, model), templates.get(templateDigest)]
    return !wanted || said === null || runs === undefined || said === runs ? [] : [`${key} has the template ${runs}, not ${said}`]
  })
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
export function isExcused(key: WorkloadKey, world: World, seen: Set<WorkloadKey>): boolean {
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

/** No script ends so: its machine went down with it. */
const ENDED_BY_MACHINE = 143

/** A task that was lost with its agent's memory uses up an attempt, for nobody knows how far it came. */
function isNotItsFault({ id, workload, phase, reason, attempts }: Run, { mirror }: World): boolean {
  if (phase !== 'Failed') return false
  if (reason === 'Superseded' || reason === 'Removed' || attempts.every(({ exitCode }) => exitCode === 0)) return true
  if (attempts.some(({ exitCode }) => exitCode === ENDED_BY_MACHINE)) return true
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
    .filter(({ id }) => mirror.bornAt(id) + MOST_RUN_MS < scheduler.now)
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
  const real = serving.filter(({ task }) =>
    world.ledger.of(task.id).some((one) => one.agent.id === task.agent && isRunning(one, world.scheduler.now)),
  )
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
async function agentTroubles(world: World, agent: AgentNode): Promise<Trouble[]> {
  const { mirror, ledger, scheduler } = world
  const tasks = mirror.table('tasks')
  const observed = mirror.table('observed')
  const orphans = ledger.runningOn(agent, scheduler.now).filter(({ record }) => {
    const task = tasks.get(record.task)
    return task?.agent !== agent.id || isTerminal({ task, observed: observed.get(record.task) })
  })
  // What an agent forgot with its disk and has ended long ago is swept at its next connection only.
  const traces = agent.lostDisk ? [] : await agent.machine.list()
  const unknown = traces.filter((record) => tasks.get(record.task)?.agent !== agent.id)
  const { entries } = await agent.journal.load()
  // A full disk may keep an entry of a task that is gone; the agent's next start forgets it.
  const unheard = entries.flatMap(({ state }) => {
    if (!tasks.has(state.task) || lastChange(world, state.task) > agent.steady(scheduler.now) - ON_ITS_WAY) return []
    const said = statusOf(state)
    const heard = observed.get(state.task)
    const settled = TERMINAL.has(said.phase) || said.phase === 'Running'
    const known = heard !== undefined && (TERMINAL.has(heard.phase) || (heard.phase === said.phase && heard.attempt === said.attempt))
    return settled && !known ? [`${agent.id} has ${state.task} as ${said.phase}, the store as ${heard?.phase}`] : []
  })
  return [
    ...about(
      'NoOrphans',
      orphans.map(({ record }) => `${record.task}.${record.attempt} is an orphan on ${agent.id}`),
    ),
    ...about(
      'NoOrphans',
      unknown.map((record) => `${record.task}.${record.attempt} was left behind on ${agent.id}`),
    ),
    ...about('ComesToRest', unheard),
  ]
}

/** What a machine says of a start or an end takes so long at most; where a CronJob runs something is always on its way. */
const ON_ITS_WAY = 30_000

/** By the steady clock of its machine. */
function lastChange({ ledger, scheduler }: World, task: TaskId): number {
  const endOf = ({ agent, record }: Started): number => exitAt(record, agent.steady(scheduler.now))?.finishedAt ?? 0
  return Math.max(0, ...ledger.of(task).flatMap((entry) => [entry.record.startedAt ?? 0, endOf(entry)]))
}

/** The leader's memory says what the store says, as far as its views show it. */
export function memoryTroubles({ mirror }: World, { control }: ControlNode): string[] {
  const plane = must(control, 'it leads').plane
  const observed = mirror.table('observed')
  const pairs: readonly [string, readonly string[], readonly string[]][] = [
    [
      'tasks',
      plane.tasks().map(({ id, slot, agent, attempt, exitCode }) => `${id} ${slot} ${agent} ${attempt} ${exitCode}`),
      [...mirror.table('tasks').values()].map(({ id, slot, agent }) => {
        const told = observed.get(id)
        return `${id} ${slot} ${agent} ${told?.attempt ?? 0} ${told?.attempts.at(-1)?.exitCode ?? null}`
      }),
    ],
    [
      'runs',
      plane.runs().map(({ id, phase }) => `${id} ${phase}`),
      [...mirror.table('runs').values()].filter(({ buriedAt }) => buriedAt === null).map(({ id, phase }) => `${id} ${phase}`),
    ],
    [
      'workloads',
      plane.workloads().map(({ kind, name, inputsDigest }) => `${kind} ${name} ${inputsDigest}`),
      [...mirror.table('workloads').values()].map(({ key, inputsDigest }) => `${key.split('/').slice(1).join(' ')} ${inputsDigest}`),
    ],
    ['agents', plane.agents().map(({ id }) => id), [...mirror.table('agents').keys()]],
  ]
  return pairs.flatMap(([what, remembered, stored]) => {
    const known = new Set(stored)
    const [strange, missing] = [remembered.filter((one) => !known.has(one)), stored.filter((one) => !remembered.includes(one))]
    return strange.length + missing.length === 0 ? [] : [`the leader remembers ${what} [${strange}], the store holds [${missing}]`]
  })
}
