import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { UpOptions } from '../../src/cli/deps.ts'
import { DEFAULT_PROCESS_POLICY } from '../../src/model/process-policy.ts'
import { cliOver, IDLE } from '../support/fake-cli.ts'

const ALLOWED = ['up', '--repo', '.', '--allow-processes']

describe('the policy for processes', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'drover-policy-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  async function up(words: readonly string[], text?: string) {
    const seen: UpOptions[] = []
    const roles = {
      ...IDLE,
      up: async (options: UpOptions) => {
        seen.push(options)
        return 0
      },
      down: async () => 0,
    }
    if (text !== undefined) writeFileSync(join(folder, 'policy.yaml'), text)
    const { exit, stderr } = await cliOver(undefined, { roles, cwd: folder }).run(...words)
    return { exit, stderr, processes: seen.map((options) => options.processes) }
  }

  it('is nothing at all unless processes are allowed, and then the defaults', async () => {
    expect((await up(['up', '--repo', '.'])).processes).toEqual([null])
    expect((await up(ALLOWED)).processes).toEqual([DEFAULT_PROCESS_POLICY])
  })

  it('is what the file says, with the defaults beside it', async () => {
    const text = `
minIsolation: sandbox
users: [etl, "build:staff"]
runAsNonRoot: true
programs: [/usr/bin, /opt/jobs]
hostPaths:
  - {path: /srv/in, readOnly: true}
  - path: /srv/out
passEnvironment: [HTTPS_PROXY]
maxPids: 64
`
    expect((await up([...ALLOWED, '--process-policy', 'policy.yaml'], text)).processes).toEqual([
      {
        minIsolation: 'sandbox',
        users: ['etl', 'build:staff'],
        runAsNonRoot: true,
        programs: ['/usr/bin', '/opt/jobs'],
        hostPaths: [
          { path: '/srv/in', readOnly: true },
          { path: '/srv/out', readOnly: false },
        ],
        passEnvironment: ['HTTPS_PROXY'],
        maxPids: 64,
      },
    ])
  })

  it('ends with every mistake in its place, and nothing is started', async () => {
    const text = 'minIsolation: sandboxed\nuser: [etl]\nprograms:\n  - usr/bin\nhostPaths:\n  - {path: /proc/1}\nmaxPids: 0\nusers:\n'
    const { exit, stderr, processes } = await up([...ALLOWED, '--process-policy', 'policy.yaml'], text)
    expect({ exit, processes }).toEqual({ exit: 2, processes: [] })
    expect(stderr.split('\n').filter((line) => line.startsWith('policy.yaml:') || /[=] hint|^error/.test(line))).toEqual([
      'policy.yaml:1:15: `minIsolation` must be "none" or "cgroup" or "sandbox"',
      '   = hint: did you mean "sandbox"?',
      'policy.yaml:2:1: unknown field `user`',
      '   = hint: did you mean "users"?',
      'policy.yaml:4:5: `programs[0]` must be an absolute path without "..", such as /srv/data',
      'policy.yaml:6:12: `hostPaths[0].path` must not be in /work, /tmp, /dev, /proc: a sandbox has these of its own',
      'policy.yaml:7:10: `maxPids` must be at least 1',
      'policy.yaml:8:1: `users`: expected a list, got nothing',
      '   = hint: give it a value, or remove the field',
      'error: policy.yaml is no policy for processes',
    ])
  })

  it.each([
    ['an empty file', '# nothing\n', 'policy.yaml:1:1: holds no policy'],
    ['two documents', 'maxPids: 1\n---\nmaxPids: 2\n', 'policy.yaml:3:1: holds a second document'],
    ['no YAML', 'maxPids: [\n', 'policy.yaml:2:1: not valid YAML'],
    ['no map', '- maxPids\n', 'policy.yaml:1:1: expected a map, got a list'],
  ])('is refused as %s', async (_, text, message) => {
    const { exit, stderr } = await up([...ALLOWED, '--process-policy', 'policy.yaml'], text)
    expect(exit).toBe(2)
    expect(stderr).toContain(message)
  })

  it('is refused where it could not count, or cannot be read', async () => {
    expect(await up(['up', '--repo', '.', '--process-policy', 'policy.yaml'], 'maxPids: 1')).toEqual({
      exit: 2,
      stderr: 'error: --process-policy has no meaning without --allow-processes\nhint: give both\n',
      processes: [],
    })
    expect((await up([...ALLOWED, '--process-policy', 'none.yaml'])).stderr).toContain('none.yaml cannot be read')
  })
})
