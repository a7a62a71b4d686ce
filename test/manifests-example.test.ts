import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBlob } from '../src/manifest/blob.ts'
import { link } from '../src/manifest/link.ts'
import { isManifestPath } from '../src/manifest/parse.ts'
import { bodyOf } from '../src/model/body.ts'

const root = join(import.meta.dirname, '../manifests-example')
const files = readdirSync(root, { recursive: true, encoding: 'utf8', withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
const manifests = files.filter(isManifestPath)
const stories = readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const checked = (folder: string) => manifests.filter((path) => path.startsWith(folder)).map((path) => parseBlob(path, read(path)))
const workloads = link(checked('')).desired.workloads

describe('manifests-example', () => {
  it('is one app without a problem', () => {
    const { desired, problems } = link(checked(''))
    expect(problems).toEqual([])
    expect(desired).toMatchObject({ broken: [], unreadable: [], policyBroken: false, policy: { mode: 'Auto' } })
    expect(desired.workloads.map((one) => one.key)).toEqual([
      'default/Deployment/fake-canary',
      'default/Deployment/fake-slow',
      'default/Deployment/fake-web',
      'default/Deployment/node-watch',
      'default/Deployment/shop-api',
      'default/Deployment/shop-worker',
      'default/Deployment/ticker',
      'default/Deployment/web',
      'default/Job/fake-batch',
      'default/Job/migrate',
      'default/Job/shop-migrate',
    ])
  })

  it.each(stories)('%s stands on its own, with a README', (story) => {
    const { desired, problems } = link(checked(`${story}/`), { path: story })
    expect(problems).toEqual([])
    expect(desired.workloads.length).toBeGreaterThan(0)
    expect(files).toContain(`${story}/README.md`)
    expect(read('README.md')).toContain(`(${story})`)
  })

  it.each(manifests.filter((path) => path.endsWith('.yaml')))('%s holds one document and says first what it shows', (path) => {
    expect(read(path)).toMatch(/^# Shows /)
    expect(parseBlob(path, read(path)).documents).toHaveLength(1)
  })

  it('ships only folders that are there', () => {
    const trees = workloads.flatMap((one) => one.trees)
    expect(trees.length).toBeGreaterThan(4)
    expect(trees.filter((tree) => !existsSync(join(root, tree)))).toEqual([])
  })

  it('runs scripts that are there and that a shell can read', () => {
    const scripts = workloads.flatMap(({ manifest, trees }) => {
      const [process] = bodyOf(manifest).template.spec.processes ?? []
      return process?.command[0] === 'sh' ? [join(root, trees[0] ?? '', process.command[1] ?? '')] : []
    })
    expect(scripts.length).toBeGreaterThan(3)
    for (const script of scripts) execFileSync('sh', ['-n', script])
  })

  it('asks little of a machine, and sets no user, so that anyone can run it', () => {
    for (const { manifest } of workloads) {
      const { containers = [], processes = [] } = bodyOf(manifest).template.spec
      for (const unit of [...containers, ...processes]) {
        expect(unit.user).toBeUndefined()
        expect(unit.resources.requests.cpu).toBeLessThanOrEqual(10)
      }
    }
  })
})
