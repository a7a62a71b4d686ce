import type { NetworkInspectInfo } from 'dockerode'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'

/** The bridge that all of Drover's containers on a machine share, whatever their agent. */
export const NETWORK = 'drover'

export interface Network {
  /** Makes it when it is not there; asks the engine once. @throws RetryableError, TerminalError */
  ensure(): Promise<void>
  /** It has vanished: look again next time. */
  forget(): void
}

export function createNetwork(engine: Engine): Network {
  let ensured: Promise<void> | null = null
  return {
    ensure() {
      ensured ??= makeSure(engine).catch((error: unknown) => {
        ensured = null
        throw error
      })
      return ensured
    },
    forget() {
      ensured = null
    },
  }
}

async function makeSure(engine: Engine): Promise<void> {
  if ((await find(engine)).length === 0) await create(engine)
  await removeTwins(engine)
}

async function create({ call, docker }: Engine): Promise<void> {
  const labels = { 'drover.dev/network': NETWORK }
  const options = { Name: NETWORK, Driver: 'bridge', CheckDuplicate: true, Labels: labels }
  await call(`create network ${NETWORK}`, (abortSignal) => docker.createNetwork({ ...options, abortSignal })).catch(whenStatus([409], null))
}

/** Docker's own check for duplicates is not atomic: of two networks of one name every agent keeps the same one. */
async function removeTwins(engine: Engine): Promise<void> {
  const [, ...twins] = (await find(engine)).sort((a, b) => (a.Created + a.Id < b.Created + b.Id ? -1 : 1))
  for (const { Id } of twins) {
    await engine
      .call(`remove second network ${NETWORK}`, (abortSignal) => engine.docker.getNetwork(Id).remove({ abortSignal }))
      .catch(whenStatus([403, 404, 409], null))
  }
}

async function find(engine: Engine): Promise<NetworkInspectInfo[]> {
  const found = await engine.call('list networks', (abortSignal) =>
    engine.docker.listNetworks({ filters: { name: [NETWORK] }, abortSignal }),
  )
  // The engine's filter matches parts of names.
  return found.filter(({ Name }) => Name === NETWORK)
}
