import { ensureBubblewrap } from './ensure-bubblewrap.mjs'

/** Once per run: bwrap is on this machine; each driver finds out by itself whether it may use it. */
export default async function setup(): Promise<void> {
  await ensureBubblewrap({ log: (message) => void process.stderr.write(`${message}\n`) })
}
