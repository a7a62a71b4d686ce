import { readFile } from 'node:fs/promises'
import { callEngine } from './engine.mjs'
import { ensurePrograms, runProgram } from './install.mjs'
import { tar } from './tar.mjs'

const NAME = 'drover-example/busybox'
const TAG = '1'

/** The one image of tests, examples and quickstart. */
export const EXAMPLE_IMAGE = `${NAME}:${TAG}`

/**
 * Builds the example image from this machine's static busybox, without any registry, unless the engine has it.
 * @returns its name
 * @throws Error when busybox cannot be had or the engine refuses
 */
export async function ensureExampleImage(socketPath, { log } = {}) {
  const found = await callEngine({ socketPath, path: `/images/${EXAMPLE_IMAGE}/json` })
  if (found.status === 200) return EXAMPLE_IMAGE
  const { busybox } = await ensurePrograms({ programs: ['busybox'], packages: ['busybox-static'], log })
  log?.(`building ${EXAMPLE_IMAGE}`)
  const body = tar(imageEntries(await staticBinary(busybox), await runProgram(busybox, ['--list'])))
  const query = new URLSearchParams({ fromSrc: '-', repo: NAME, tag: TAG })
  for (const change of ['ENV PATH=/bin', 'CMD ["sh"]']) query.append('changes', change)
  const answer = await callEngine({ socketPath, method: 'POST', path: `/images/create?${query}`, body, timeoutMs: 60_000 })
  if (answer.status !== 200 || answer.text.includes('"error"')) throw new Error(`cannot import ${EXAMPLE_IMAGE}: ${answer.text}`)
  return EXAMPLE_IMAGE
}

function imageEntries(busybox, applets) {
  const links = applets.split('\n').filter((name) => name !== '' && name !== 'busybox')
  return [
    { path: 'bin/', mode: 0o755 },
    { path: 'bin/busybox', mode: 0o755, content: busybox },
    ...links.map((name) => ({ path: `bin/${name}`, mode: 0o777, link: 'busybox' })),
    { path: 'etc/', mode: 0o755 },
    { path: 'etc/passwd', mode: 0o644, content: Buffer.from('root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n') },
    { path: 'etc/group', mode: 0o644, content: Buffer.from('root:x:0:\nnogroup:x:65534:\n') },
    { path: 'tmp/', mode: 0o1777 },
    { path: 'www/', mode: 0o755 },
    { path: 'www/index.html', mode: 0o644, content: Buffer.from('hello from drover\n') },
  ]
}

/** A binary with a PT_INTERP header needs a loader, and the image has none. */
async function staticBinary(path) {
  const elf = await readFile(path)
  const [start, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)]
  const types = Array.from({ length: count }, (_, index) => elf.readUInt32LE(start + index * size))
  if (types.includes(3)) throw new Error(`${path} is linked dynamically: install busybox-static`)
  return elf
}
