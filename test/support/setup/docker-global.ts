import { ensureDocker, stopDocker } from './ensure-docker.mjs'
import { ensureExampleImage } from './ensure-images.mjs'

/** Once per run: an engine and the example image, its socket in DROVER_TEST_DOCKER; ends the engine if this run started it. */
export default async function setup(): Promise<() => Promise<void>> {
  const log = (message: string): void => void process.stderr.write(`${message}\n`)
  const engine = await ensureDocker({ log })
  await ensureExampleImage(engine.socketPath, { log })
  process.env.DROVER_TEST_DOCKER = engine.socketPath
  return () => stopDocker(engine)
}
