import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '../src/lib/durable-file.ts'
import { AgentId } from '../src/model/ids.ts'
import type { Capacity } from '../src/model/records.ts'

/** Memory left to the system, the agent and the container runtime: a tenth. */
const MEMORY_SHARE = 0.9
/** Below Linux' ephemeral range (32768-60999), so no outgoing connection holds one of them. */
const PORTS = { from: 20_000, to: 31_999 }

export interface Machine {
  readonly id: AgentId
  /** Of the state directory: a cloned machine is refused. */
  readonly instance: string
  readonly bootId: string
  readonly capacity: Capacity
  readonly labels: Readonly<Record<string, string>>
}

export interface MachineOptions {
  /** Belongs to this agent alone; made with mode 0700. */
  readonly stateDir: string
  /** Null: the name it has, or the host's as far as it can be one. */
  readonly name?: AgentId | null
  /** The operator's; they win over what is found. */
  readonly labels?: Readonly<Record<string, string>>
}

/** What this machine is and can bear. @throws when the state directory cannot be used, or holds another agent's state. */
export async function readMachine(options: MachineOptions): Promise<Machine> {
  await mkdir(options.stateDir, { recursive: true, mode: 0o700 })
  return {
    ...(await keptIdentity(options)),
    bootId: await bootId(),
    capacity: { cpuMillis: availableParallelism() * 1000, memoryBytes: Math.floor((await memoryBytes()) * MEMORY_SHARE), ports: PORTS },
    labels: { os: platform(), arch: arch(), hostname: hostname(), ...options.labels },
  }
}

const Kept = z.object({ id: AgentId, instance: z.string().min(1) })
type Kept = z.infer<typeof Kept>

/** The identity lives as long as the state directory: with a new one the old tasks are not this agent's any more. */
async function keptIdentity({ stateDir, name = null }: MachineOptions): Promise<Kept> {
  const path = join(stateDir, 'agent.json')
  const text = await readIfThere(path)
  if (text === null) {
    const fresh: Kept = { id: name ?? agentNameOf(hostname()), instance: randomUUID() }
    await writeDurably(path, JSON.stringify(fresh))
    return fresh
  }
  const kept = Kept.parse(JSON.parse(text))
  if (name !== null && name !== kept.id) throw new Error(`${stateDir} belongs to agent ${kept.id}, not ${name}`)
  return kept
}

/** A DNS label out of any host name: `Build_Box.example.org` becomes `build-box`. */
export function agentNameOf(host: string): AgentId {
  const label = (host.split('.')[0] ?? '').toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')
  return AgentId.parse(label.slice(0, 63).replaceAll(/^-+|-+$/g, '') || 'agent')
}

/** Changes with each boot; where the system has none, a new one each time, which only costs an adoption. */
async function bootId(): Promise<string> {
  return (await readIfThere('/proc/sys/kernel/random/boot_id'))?.trim() || randomUUID()
}

/** `MemTotal` in bytes; in a container `os.totalmem` may be its limit or the host's, so the kernel's word comes first. */
async function memoryBytes(): Promise<number> {
  return memTotalOf((await readIfThere('/proc/meminfo')) ?? '') ?? totalmem()
}

/** Bytes, from the text of `/proc/meminfo`; null when it does not say. */
export function memTotalOf(meminfo: string): number | null {
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo)?.[1]
  return kibibytes === undefined ? null : Number(kibibytes) * 1024
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
