import { parentPort } from 'node:worker_threads'
import { must } from '../../lib/must.ts'
import { parseBlob } from '../../manifest/blob.ts'

/** Runs in a worker thread: says that it is ready, then one file in, its checked form out. */
const port = must(parentPort, 'this file runs as a worker')

port.on('message', ({ path, text }: { path: string; text: string }) => port.postMessage(parseBlob(path, text)))
port.postMessage('ready')
