import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { tar } from './setup/tar.mjs'

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const CONFIG = 'application/vnd.docker.container.image.v1+json'
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

export interface ImageRegistry {
  /** `127.0.0.1:<port>/shop/web`, which engines pull from without TLS. */
  readonly repository: string
  /** Makes an image of one file with this text and points the tag at it; gives the digest of its manifest. */
  publish(tag: string, text: string): string
  /** How many layers were fetched. */
  readonly pulls: number
  close(): Promise<void>
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A registry that serves what a pull asks for, from memory. */
export async function startImageRegistry(): Promise<ImageRegistry> {
  const blobs = new Map<string, { type: string; bytes: Buffer }>()
  const tags = new Map<string, string>()
  let pulls = 0

  const keep = (type: string, bytes: Buffer) => {
    const digest = digestOf(bytes)
    blobs.set(digest, { type, bytes })
    return { mediaType: type, size: bytes.length, digest }
  }

  const server = createServer((request, response) => {
    const reference = request.url?.split('/').at(-1) ?? ''
    const found = blobs.get(tags.get(reference) ?? reference)
    if (request.url === '/v2/') response.end()
    else if (found === undefined)
      response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
    else {
      if (found.type === LAYER) pulls += 1
      const headers = { 'content-type': found.type, 'content-length': found.bytes.length, 'docker-content-digest': digestOf(found.bytes) }
      response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : found.bytes)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    repository: `127.0.0.1:${(server.address() as AddressInfo).port}/shop/web`,
    publish(tag, text) {
      const files = tar([{ path: 'text', mode: 0o644, content: Buffer.from(text) }])
      const architecture = process.arch === 'x64' ? 'amd64' : process.arch
      const root = { type: 'layers', diff_ids: [digestOf(files)] }
      const config = keep(CONFIG, Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Cmd: ['/text'] }, rootfs: root })))
      const layers = [keep(LAYER, gzipSync(files))]
      const manifest = keep(MANIFEST, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers })))
      tags.set(tag, manifest.digest)
      return manifest.digest
    },
    get pulls() {
      return pulls
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
