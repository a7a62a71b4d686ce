import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Drover, workloadOf } from '../support/drover.ts'
import { type FileServer, sha256, startFileServer } from '../support/file-server.ts'
import { commitFiles, makeRepo, scratchFolder } from '../support/git-repo.ts'
import { LOCALHOST_TLS } from '../support/localhost-tls.ts'
import { file, symbolicLink, tarOf } from '../support/tar.ts'
import { waitUntil } from '../support/wait-until.ts'

const program = (version: string): string =>
  `#!/bin/sh\necho "program ${version}, $(cat lib/now/greeting)"\ntrap "exit 0" TERM\nwhile :; do sleep 0.2; done\n`
const LIBRARY = tarOf([file('v1/greeting', 'with the library\n'), symbolicLink('now', 'v1')])

interface Shipped {
  readonly url: string
  readonly sha256: string
}

const artifact = ({ url, sha256: sum }: Shipped, more: string): string => `{url: "${url}", sha256: ${sum}, ${more}}`

const processes = (tool: Shipped, library: Shipped): string => `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 2
  template:
    spec:
      terminationGracePeriodSeconds: 1
      processes:
      - name: main
        command: [./bin/tool]
        artifacts:
        - ${artifact(tool, 'executable: true, destination: bin/tool')}
        - ${artifact(library, 'destination: lib')}
`
const container = (tool: Shipped, library: Shipped): string => `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: drover-example/busybox:1
        workingDir: /srv
        command: [/bin/fetched]
        artifacts:
        - ${artifact(tool, 'executable: true, destination: /bin/fetched')}
        - ${artifact(library, 'destination: /srv/lib')}
`
const job = (name: string, shipped: Shipped, more = 'destination: greeting'): string => `apiVersion: drover.dev/v1
kind: Job
metadata: {name: ${name}}
spec:
  template:
    spec:
      restartPolicy: Never
      processes:
      - name: main
        command: [cat, greeting]
        artifacts: [${artifact(shipped, more)}]
`

describe('artifacts from a URL, with the program as users run it', () => {
  const scratch = scratchFolder()
  const repo = makeRepo(join(scratch.path, 'repo'))
  const drover = new Drover({ repo: repo.path })
  let server: FileServer
  let secure: FileServer

  /** Serves it, and says how a manifest names it. */
  function shipped(path: string, content: Buffer | string, from = server): Shipped {
    from.serve(path, content)
    return { url: `${from.url}${path}`, sha256: sha256(content) }
  }
  const times = (path: string): number => server.asked.filter((asked) => asked === path).length

  async function said(workload: string): Promise<string[]> {
    const outputs = (await drover.running(workload)).map(({ id }) => drover.cli('logs', `task/${id}`))
    return (await Promise.all(outputs)).map(({ stdout }) => /program .*/.exec(stdout)?.[0] ?? '')
  }
  const allSay = async (version: string): Promise<void> => {
    const words = `program ${version}, with the library`
    await waitUntil(async () => JSON.stringify([await said('worker'), await said('web')]) === JSON.stringify([[words, words], [words]]))
  }
  const reasonsOf = async (workload: string) =>
    (await drover.tasks()).filter((task) => task.workload === workload).flatMap(({ reasons }) => reasons)

  beforeAll(async () => {
    server = await startFileServer()
    secure = await startFileServer({ tls: LOCALHOST_TLS })
    const authority = join(scratch.path, 'authority.pem')
    writeFileSync(authority, LOCALHOST_TLS.cert)
    process.env.NODE_EXTRA_CA_CERTS = authority
    const [tool, library] = [shipped('/tool-1', program('one')), shipped('/library.tar', LIBRARY)]
    commitFiles(repo, { 'worker.yaml': processes(tool, library), 'web.yaml': container(tool, library) }, 'first')
    await drover.start()
  })
  afterAll(async () => {
    await drover.destroy()
    await server.close()
    await secure.close()
    scratch.remove()
  })

  it('reach processes and containers, fetched once for all of them', async () => {
    await drover.healthyAt(repo.head())
    await allSay('one')
    expect(server.asked.sort()).toEqual(['/library.tar', '/tool-1'])
  })

  it('are planned and replaced like any field, and a revert brings the old ones back without a download', async () => {
    await drover.proved()
    const first = (await drover.app())?.workloads.map(({ inputsDigest }) => inputsDigest)
    const [tool, library] = [shipped('/tool-2', program('two')), shipped('/library.tar', LIBRARY)]
    const files = { 'worker.yaml': processes(tool, library), 'web.yaml': container(tool, library) }
    for (const [path, text] of Object.entries(files)) writeFileSync(join(repo.path, path), text)
    const { stdout } = await drover.cli('plan', repo.path)
    expect(stdout).toContain(`~ spec.template.spec.processes[main].artifacts[0].sha256: ${sha256(program('one'))} -> ${tool.sha256}`)
    expect(stdout).toContain(`~ spec.template.spec.containers[main].artifacts[0].url: ${server.url}/tool-1 -> ${tool.url}`)
    commitFiles(repo, files, 'another program')
    await drover.healthyAt(repo.head())
    await allSay('two')
    await drover.proved()
    repo.git('revert', '--no-edit', 'HEAD')
    await drover.healthyAt(repo.head())
    await allSay('one')
    expect((await drover.app())?.workloads.map(({ inputsDigest }) => inputsDigest)).toEqual(first)
    expect([times('/tool-1'), times('/tool-2'), times('/library.tar')]).toEqual([1, 1, 1])
  })

  it('are there for the next agent, also under another URL', async () => {
    await drover.proved()
    await drover.end('SIGTERM')
    await drover.start()
    const elsewhere = { url: 'http://mirror.invalid/library', sha256: sha256(program('one')) }
    commitFiles(repo, { 'again.yaml': job('again', elsewhere, 'executable: true, destination: greeting') }, 'a mirror')
    await drover.healthyAt(repo.head())
    expect((await drover.cli('logs', 'job/again')).stdout).toContain('program one')
    expect(times('/tool-1')).toBe(1)
  })

  it('with another content than the manifest says roll back by themselves, with both checksums as evidence', async () => {
    await drover.proved()
    const before = (await drover.running('worker')).map(({ id }) => id).sort()
    const [tool, library] = [shipped('/tool-3', 'not what was agreed on'), shipped('/library.tar', LIBRARY)]
    commitFiles(repo, { 'worker.yaml': processes({ ...tool, sha256: sha256('agreed') }, library) }, 'a wrong checksum')
    const { quarantine } = await drover.rolledBackFrom(repo.head(), 'worker')
    expect(JSON.stringify(quarantine)).toContain('ArtifactMismatch')
    const { stdout } = await drover.cli('describe', 'deployment/worker')
    for (const sum of [tool.sha256, sha256('agreed')]) expect(stdout).toContain(sum)
    expect((await drover.running('worker')).map(({ id }) => id).sort()).toEqual(expect.arrayContaining(before.slice(0, 1)))
    expect(workloadOf(await drover.app(), 'worker')?.ready).toBe(2)
    repo.git('revert', '--no-edit', 'HEAD')
    await drover.healthyAt(repo.head())
  })

  it('come over https from a server with a certificate, and lead neither back to http nor to a metadata service', async () => {
    secure.serve('/downgrade', (response) => response.writeHead(302, { location: `${server.url}/tool-1` }).end())
    const to = (path: string): Shipped => ({ url: `${secure.url}${path}`, sha256: sha256('never') })
    const files = {
      'secure.yaml': job('secure', shipped('/greeting', 'hello over https', secure)),
      'downgrade.yaml': job('downgrade', to('/downgrade')),
      'metadata.yaml': job('metadata', { url: 'http://169.254.169.254/latest/meta-data/', sha256: sha256('never') }),
    }
    commitFiles(repo, files, 'jobs')
    await waitUntil(async () => (await drover.runs()).some(({ job: name, phase }) => name === 'secure' && phase === 'Succeeded'))
    await waitUntil(async () => (await reasonsOf('downgrade')).length > 0 && (await reasonsOf('metadata')).length > 0)
    expect(await reasonsOf('downgrade')).toContainEqual(
      expect.objectContaining({ code: 'ArtifactRefused', message: expect.stringContaining('redirects to http:') }),
    )
    expect(await reasonsOf('metadata')).toContainEqual(
      expect.objectContaining({ code: 'ArtifactRefused', message: expect.stringContaining('link-local') }),
    )
  })

  it('that cannot be had now are tried again until they can', async () => {
    const late = shipped('/late', 'better late')
    server.serve('/late', (response) => response.writeHead(503).end())
    commitFiles(repo, { 'late.yaml': job('late', late) }, 'a server that is not ready')
    await waitUntil(async () => (await reasonsOf('late')).some(({ message }) => message.includes('answered 503')))
    server.serve('/late', 'better late')
    await waitUntil(async () => (await drover.runs()).some(({ job: name, phase }) => name === 'late' && phase === 'Succeeded'))
  })
})
