// A parse worker that never ends, dies or runs out of memory, by the name of the file; others it checks.
import { parentPort } from 'node:worker_threads'

const hoard = []
parentPort.on('message', ({ path }) => {
  if (path.startsWith('spin')) for (;;);
  if (path.startsWith('die')) process.exit(1)
  if (path.startsWith('throw')) throw new Error('the parser broke')
  while (path.startsWith('hoard')) hoard.push(new Array(1_000_000).fill(hoard.length))
  parentPort.postMessage({ path, size: 0, documents: [], problems: [], unreadable: false })
})
parentPort.postMessage('ready')
