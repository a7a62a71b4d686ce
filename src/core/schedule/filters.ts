import { type Isolation, type IsolationOffer, isolatesAs } from '../../model/process.ts'
import { DISK_PRESSURE, PROCESSES_NOT_ALLOWED, RUNTIME_UNHEALTHY } from '../../model/reason.ts'
import type { DriverName } from '../../model/task-spec.ts'
import { approximateMemory, formatCpu } from '../plan-quantity.ts'
import { countOn, type Demand, keepsSkew } from './demand.ts'
import { labelOf, meetsConstraint, meetsSelector } from './labels.ts'
import { freePortsOf, hasDynamicPorts, isPortTaken, type Slot } from './slot.ts'
import type { AgentView, Requirements } from './types.ts'

/** One rule a machine must satisfy, and how to say that it does not. */
export interface Filter<T> {
  readonly code: string
  readonly check: (asked: T, slot: Slot) => boolean
  /** What "N of M agents" do wrong, as a verb phrase; `failed` is never empty. */
  readonly explain: (asked: T, failed: readonly Slot[]) => string
}

/** How a machine is just now: it passes, so the tasks that are there stay, and those that belong there wait for it. */
export const READY_FILTERS: readonly Filter<Requirements>[] = [
  {
    // Prevents a task from going to a machine that an operator emptied or that nobody can reach.
    code: 'NotSchedulable',
    check: (_, { view }) => view.schedulable,
    explain: (_, failed) => `${verb(failed, 'is', 'are')} cordoned or not connected`,
  },
  {
    // Prevents a start by a runtime that hangs, or restarts.
    code: RUNTIME_UNHEALTHY,
    check: ({ driver }, { view }) => !isSilent(view.drivers[driver]),
    explain: ({ driver }, failed) =>
      `cannot run ${driver} tasks now: ${some(failed.map(({ view }) => view.drivers[driver].detail.slice(RUNTIME_UNHEALTHY.length + 2)))}`,
  },
  {
    // Prevents more files on a disk that is nearly full.
    code: DISK_PRESSURE,
    check: (_, { view }) => !view.pressure.some(({ code }) => code === DISK_PRESSURE),
    explain: (_, failed) =>
      `${verb(failed, 'has', 'have')} a disk that is nearly full: ${some(failed.flatMap(({ view }) => view.pressure.map(({ message }) => message)))}`,
  },
]

/** Label and runtime rules: they hold or fail for a whole batch, so a class checks them once. */
export const AGENT_FILTERS: readonly Filter<Requirements>[] = [
  {
    // Prevents plain processes on machines whose operator did not allow them, and says so apart from a missing runtime.
    code: PROCESSES_NOT_ALLOWED,
    check: ({ driver }, { view }) => view.drivers[driver].available || !forbidsProcesses(view.drivers[driver].detail),
    explain: (_, failed) => `${verb(failed, 'does', 'do')} not allow processes; an agent is started with --allow-processes to run them`,
  },
  {
    // Prevents a start that the machine has no runtime for.
    code: 'NoRuntime',
    check: ({ driver }, { view }) => view.drivers[driver].available || isSilent(view.drivers[driver]),
    explain: ({ driver }, failed) =>
      `cannot run ${driver} tasks: ${some(failed.map(({ view }) => view.drivers[driver].detail || 'not available'))}`,
  },
  lacksIsolation('NoCgroup', 'cgroup'),
  lacksIsolation('NoSandbox', 'sandbox'),
  {
    // Prevents the same where the machine's operator wants processes kept further apart than the manifest asks.
    code: 'IsolationNotAllowed',
    check: (asked, { view }) => asked.isolation === null || isolatesAs(asked.isolation, offerOf(asked, view)?.minimum ?? 'none'),
    explain: ({ isolation }, failed) =>
      `${verb(failed, 'does', 'do')} not allow isolation: ${isolation}, only ${some(failed.map(({ view }) => view.drivers.process.isolation?.minimum ?? ''))} or stronger`,
  },
  {
    // Prevents placement outside the set of machines that the manifest names by label.
    code: 'ConstraintNotMet',
    check: ({ nodeSelector }, { view }) => meetsSelector(nodeSelector, view.labels),
    explain: ({ nodeSelector }, failed) =>
      `${verb(failed, 'lacks', 'lack')} labels: ${some(Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`))} asked`,
  },
  {
    // Prevents placement against a constraint on labels or attributes.
    code: 'ConstraintNotMet',
    check: ({ constraints }, { view }) => constraints.every((constraint) => meetsConstraint(constraint, view.labels)),
    explain: (requirements, failed) =>
      `${verb(failed, 'does', 'do')} not meet: ${some(failed.map((slot) => brokenConstraint(requirements, slot)))}`,
  },
  {
    // Prevents tasks that no value of the spread key would count.
    code: 'SpreadLabelMissing',
    check: ({ spread }, { view }) => spread.every(({ key }) => labelOf(view.labels, key) !== undefined),
    explain: ({ spread }, failed) => `${verb(failed, 'lacks', 'lack')} a label to spread over: ${some(spread.map(({ key }) => key))} asked`,
  },
]

/** What a batch uses up: once it fails for an agent it fails for the rest of the batch. */
export const CAPACITY_FILTERS: readonly Filter<Requirements>[] = [
  {
    // Prevents more reserved CPU than the machine has; a task that asks for none always passes, as in Kubernetes.
    code: 'InsufficientCpu',
    check: ({ cpuMillis }, slot) => cpuMillis === 0 || slot.freeCpu >= cpuMillis,
    explain: ({ cpuMillis }, failed) =>
      `${lack(failed)} CPU: ${formatCpu(cpuMillis)} asked, at most ${formatCpu(most(failed, (slot) => slot.freeCpu))} free`,
  },
  {
    // Prevents more reserved memory than the machine has, which ends in out-of-memory kills.
    code: 'InsufficientMemory',
    check: ({ memoryBytes }, slot) => memoryBytes === 0 || slot.freeMemory >= memoryBytes,
    explain: ({ memoryBytes }, failed) =>
      `${lack(failed)} memory: ${approximateMemory(memoryBytes)} asked, at most ${approximateMemory(most(failed, (slot) => slot.freeMemory))} free`,
  },
  {
    // Prevents two tasks on one fixed host port of a machine.
    code: 'PortInUse',
    check: ({ fixedPorts }, slot) => fixedPorts.every(({ port }) => !isPortTaken(slot, port)),
    explain: ({ fixedPorts }, failed) => {
      const taken = fixedPorts.filter(({ port }) => failed.some((slot) => isPortTaken(slot, port)))
      return `${verb(failed, 'has', 'have')} a port in use: ${some(taken.map(({ port }) => String(port)))} asked`
    },
  },
  {
    // Prevents a dynamic port outside the range the machine gives, or one given twice.
    code: 'NoPortLeft',
    check: (requirements, slot) => hasDynamicPorts(slot, requirements),
    explain: ({ dynamicPorts }, failed) =>
      `${lack(failed)} ports: ${dynamicPorts.length} asked, at most ${most(failed, freePortsOf)} free in the range`,
  },
]

/** Rules over the other tasks of the same workload. */
export const WORKLOAD_FILTERS: readonly Filter<Demand>[] = [
  {
    // Prevents more tasks of one workload on a machine than its manifest allows.
    code: 'MaxPerNode',
    check: (demand, slot) => countOn(demand, slot) < (demand.requirements.maxPerNode ?? Number.POSITIVE_INFINITY),
    explain: ({ requirements }, failed) => `${verb(failed, 'runs', 'run')} maxPerNode ${requirements.maxPerNode} of this workload already`,
  },
  {
    // Prevents one zone, rack or machine from holding more than maxSkew above the emptiest one.
    code: 'SpreadSkew',
    check: (demand, slot) => demand.spread.every((spread) => keepsSkew(spread, slot)),
    explain: (demand, failed) => {
      const broken = demand.spread.filter((spread) => failed.some((slot) => !keepsSkew(spread, slot)))
      return `would exceed the spread: ${some(broken.map(({ key, maxSkew }) => `${key} maxSkew ${maxSkew}`))}`
    },
  },
]

/** Prevents a process from going to a machine that could only refuse it, for it cannot keep it apart as it asks. */
function lacksIsolation(code: string, isolation: Isolation): Filter<Requirements> {
  return {
    code,
    check: (asked, { view }) => asked.isolation !== isolation || (offerOf(asked, view)?.offered.includes(isolation) ?? true),
    explain: (_, failed) =>
      `cannot run processes with isolation: ${isolation}: ${some(failed.map(({ view }) => view.drivers.process.detail))}`,
  }
}

const SHOWN = 3

/** Undefined for what is no process, and for an agent of a version that does not say: it refuses by itself. */
const offerOf = ({ driver }: Requirements, { drivers }: AgentView): IsolationOffer | undefined => drivers[driver].isolation
const forbidsProcesses = (detail: string): boolean => detail.startsWith(PROCESSES_NOT_ALLOWED)
const isSilent = ({ available, detail }: AgentView['drivers'][DriverName]): boolean => !available && detail.startsWith(RUNTIME_UNHEALTHY)
const verb = (failed: readonly Slot[], one: string, many: string): string => (failed.length === 1 ? one : many)
const lack = (failed: readonly Slot[]): string => verb(failed, 'lacks', 'lack')
const most = (failed: readonly Slot[], free: (slot: Slot) => number): number => failed.reduce((best, slot) => Math.max(best, free(slot)), 0)

/** The first few distinct ones, so that a message stays a sentence. */
function some(items: readonly string[]): string {
  const distinct = [...new Set(items)].sort()
  const more = distinct.length - SHOWN
  return distinct.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function brokenConstraint({ constraints }: Requirements, { view }: Slot): string {
  const broken = constraints.find((constraint) => !meetsConstraint(constraint, view.labels))
  if (broken === undefined) return ''
  const values = broken.values.length === 0 ? '' : ` [${broken.values.join(', ')}]`
  return `${broken.key} ${broken.operator}${values}`
}
