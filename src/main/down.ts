import { join } from 'node:path'
import { readIdentity } from '../../runtime/identity.ts'
import { createAgent } from '../../runtime/main.ts'
import type { DownOptions } from '../cli/deps.ts'
import { systemClock } from '../lib/clock.ts'
import { TerminalError } from '../lib/errors.ts'
import { createKeyring } from '../lib/seal.ts'
import { pause } from '../lib/waits.ts'
import { DEFAULT_PROCESS_POLICY } from '../model/process-policy.ts'
import { identityDirOf } from './agent.ts'
import { holderOf, lockDataDir } from './data-dir.ts'
import { keyringIn } from './keyring.ts'
import type { Surroundings } from './surroundings.ts'

const LOOK_AGAIN_MS = 100

/** Stops and removes every task of the data directory; a `drover up` that uses it is ended first. */
export async function down({ dataDir }: DownOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  await endHolder(dataDir, around, signal)
  const lock = await lockDataDir(dataDir)
  try {
    const { log, version, dockerSocket } = around
    const identity = await readIdentity(identityDirOf(dataDir))
    const keyring = identity === null ? await keyringIn(dataDir) : createKeyring(identity.sealKey)
    const agent = await createAgent({
      stateDir: join(dataDir, 'agent'),
      name: null,
      version,
      cluster: identity?.cluster ?? 'local',
      labels: {},
      processes: DEFAULT_PROCESS_POLICY,
      privateDirs: [dataDir],
      dockerSocket,
      openSecret: async (value) => {
        if (keyring === null) throw new TerminalError('SecretUnreadable', `${dataDir} has no key`)
        return keyring.open(value)
      },
      clock: systemClock,
      random: Math.random,
      log,
    })
    const stopped = await agent.stopAll(
      (left) => around.say(`${left} tasks are left; if this goes on, see whether Docker answers at ${dockerSocket}`),
      signal,
    )
    await agent.close()
    around.say(`stopped ${stopped} task${stopped === 1 ? '' : 's'}`)
    return signal.aborted ? 1 : 0
  } finally {
    await lock.release()
  }
}

async function endHolder(dataDir: string, { say }: Surroundings, signal: AbortSignal): Promise<void> {
  const holder = await holderOf(dataDir)
  if (holder === null) return
  say(`ending drover up (pid ${holder})`)
  process.kill(holder, 'SIGTERM')
  while (!signal.aborted && (await holderOf(dataDir)) === holder) await pause(systemClock, LOOK_AGAIN_MS, signal)
}
