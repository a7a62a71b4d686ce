import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Dockerode from 'dockerode'
import type { AttemptRef, Driver } from '../../../runtime/driver.ts'
import { createDockerDriver, type DockerDriverOptions } from '../../../runtime/drivers/docker/driver.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { must } from '../../../src/lib/must.ts'
import { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { EXAMPLE_IMAGE } from '../../support/setup/ensure-images.mjs'
import type { Behaviour, DriverHarness, Outside } from '../driver-suite.ts'

/** The engine that the docker project's set-up has made ready. */
export const sharedSocket = (): string => must(process.env.DROVER_TEST_DOCKER, 'docker-global.ts has run')

/** The engine's own client, to look from outside; a DOCKER_HOST of the environment has no say. */
const client = (socketPath: string): Dockerode => new Dockerode({ socketPath, host: undefined })

export type UnitChange = Partial<UnitSpec>

/** A task of one container; what is not said is plain. */
export function containerSpec(unit: UnitChange, task: Partial<TaskSpec> = {}): TaskSpec {
  const plain = { name: 'main', image: EXAMPLE_IMAGE, command: [], args: [], env: {}, limits: {}, ports: [], mounts: [], artifacts: [] }
  return TaskSpec.parse({
    driver: 'docker',
    units: [UnitSpec.parse({ ...plain, ...unit })],
    volumes: [],
    hostNetwork: true,
    restartPolicy: 'Never',
    maxRestarts: null,
    gracePeriodSeconds: 10,
    labels: { app: 'shop', namespace: 'default', workload: 'web' },
    ...task,
  })
}

/** A shell script in the container; nothing of it is put together from input. */
export const script = (text: string, ...args: string[]): UnitChange => ({ command: ['sh', '-c', text, 'sh', ...args] })

const COUNT = 'echo started >> /suite/starts-$DROVER_ATTEMPT; '
const PRINT =
  'n=$1; shift; while [ $n -gt 0 ]; do printf "%s\\n" "$1"; shift; n=$((n-1)); done; for l in "$@"; do printf "%s\\n" "$l" >&2; done; '
const LONER = '(setsid sh -c "trap \'\' TERM; while :; do sleep 1; done" &); '
/** A folder asked for without its slash is a redirect. */
const SITE = `mkdir -p /tmp/site/moved /tmp/site/cgi-bin; echo hello > /tmp/site/index.html;
  printf '#!/bin/sh\\nsleep 1000\\n' > /tmp/site/cgi-bin/slow; chmod +x /tmp/site/cgi-bin/slow;`
const seconds = (ms: number): string => String(ms / 1000)

function unitOf(behaviour: Behaviour): UnitChange {
  switch (behaviour.kind) {
    case 'run':
      return script(`${COUNT} exec sleep 100000`)
    case 'exit':
      return script(`${COUNT} sleep $1; exit $2`, seconds(behaviour.afterMs), String(behaviour.code))
    case 'print': {
      const end = behaviour.end === 'run' ? 'exec sleep 100000' : ''
      return script(COUNT + PRINT + end, String(behaviour.stdout.length), ...behaviour.stdout, ...behaviour.stderr)
    }
    case 'printSlowly':
      return script(
        `${COUNT} t=$1; shift; for l in "$@"; do printf "%s\\n" "$l"; sleep $t; done`,
        seconds(behaviour.everyMs),
        ...behaviour.lines,
      )
    case 'ignoreTerm':
      return script(`trap '' TERM; ${COUNT} while :; do sleep 1; done`)
    case 'tree':
      return script(`${LONER} ${LONER} ${COUNT} exec sleep 100000`)
    case 'killed':
      return script(`${COUNT} kill -9 $$`)
    case 'serve':
      return script(`${COUNT} ${SITE} exec httpd -f -p "$1" -h /tmp/site`, String(behaviour.port))
    case 'failStart':
      return { command: ['/no/such/program'] }
    default:
      return behaviour satisfies never
  }
}

export interface DockerHarness extends DriverHarness {
  readonly agent: string
  readonly stateDir: string
  readonly docker: Dockerode
  create(options?: Partial<DockerDriverOptions>): Promise<Driver>
}

/** An agent's name and state folder of its own on the given engine. */
export async function dockerHarness(socketPath = sharedSocket()): Promise<DockerHarness> {
  const agent = `suite-${randomBytes(4).toString('hex')}`
  const stateDir = await mkdtemp(join(tmpdir(), 'drover-docker-driver-'))
  const docker = client(socketPath)
  const options = { socketPath, cluster: 'suite', agent, stateDir, clock: systemClock, log: silentLog }
  const containersOf = (labels: readonly string[]) => docker.listContainers({ all: true, filters: { label: [...labels] } })
  return {
    agent,
    stateDir,
    docker,
    files: { artifacts: {}, secrets: new Map() },
    create: async (more) => createDockerDriver({ ...options, ...more }),
    spec: (behaviour) =>
      containerSpec(
        { ...unitOf(behaviour), mounts: [{ volume: 'suite', mountPath: '/suite', readOnly: false }] },
        { volumes: [{ type: 'emptyDir', name: 'suite' }] },
      ),
    outside: async (ref) => {
      const containers = await containersOf([
        `drover.dev/agent=${agent}`,
        `drover.dev/task=${ref.task}`,
        `drover.dev/attempt=${ref.attempt}`,
      ])
      return { ...(await onDisk(stateDir, ref)), alive: await alive(docker, containers), ...(await traces(stateDir, ref, containers)) }
    },
    destroy: async () => {
      for (const { Id } of await containersOf([`drover.dev/agent=${agent}`])) await docker.getContainer(Id).remove({ force: true, v: true })
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}

const quiet = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

async function onDisk(stateDir: string, { task, attempt }: AttemptRef): Promise<Pick<Outside, 'starts'>> {
  const marks = await readFile(join(stateDir, task, 'volumes', 'suite', `starts-${attempt}`), 'utf8').catch(() => '')
  return { starts: marks.split('\n').length - 1 }
}

/** Processes inside, without Docker's init; the engine says null for one that has just ended. */
async function alive(docker: Dockerode, containers: readonly Dockerode.ContainerInfo[]): Promise<number> {
  const running = containers.filter(({ State }) => State === 'running')
  const top = async (id: string): Promise<{ Processes: string[][] | null }> => docker.getContainer(id).top()
  const tops = await Promise.all(running.map(({ Id }) => top(Id).catch(() => ({ Processes: null }))))
  return tops.reduce((sum, { Processes }) => sum + Math.max(0, (Processes?.length ?? 0) - 1), 0)
}

async function traces(
  stateDir: string,
  { task, attempt }: AttemptRef,
  containers: readonly Dockerode.ContainerInfo[],
): Promise<Pick<Outside, 'traces'>> {
  const left = await quiet(join(stateDir, task))
  const others = left.filter((name) => /^\d+$/.test(name) && name !== String(attempt))
  const files = left.filter((name) => name === String(attempt) || (name === 'volumes' && others.length === 0))
  return { traces: [...containers.flatMap(({ Names }) => Names), ...files] }
}
