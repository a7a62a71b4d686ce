import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { DownOptions, RepoAsked, UpOptions } from '../../src/cli/deps.ts'
import { durationOf } from '../../src/cli/options.ts'
import { DEFAULT_PROCESS_POLICY } from '../../src/model/process-policy.ts'
import { cliOver, IDLE } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { shop } from '../support/fake-shop.ts'

const root = resolve(import.meta.dirname, '../..')

describe('roles', () => {
  function recorded() {
    const seen: { up: UpOptions[]; down: DownOptions[] } = { up: [], down: [] }
    const roles = {
      ...IDLE,
      up: async (options: UpOptions) => {
        seen.up.push(options)
        return 7
      },
      down: async (options: DownOptions) => {
        seen.down.push(options)
        return 0
      },
    }
    return { seen, cli: cliOver(fakeControl(), { roles }) }
  }

  it('up has the defaults of the contract', async () => {
    const { seen, cli } = recorded()
    expect((await cli.run('up', '--repo', '/srv/shop')).exit).toBe(7)
    expect(seen.up).toEqual([
      {
        repo: '/srv/shop',
        ref: 'main',
        path: '.',
        app: null,
        dataDir: '/home/ann/.local/state/drover',
        host: '127.0.0.1',
        port: 7420,
        pollMs: 2000,
        processes: null,
        store: 'embedded',
        labels: {},
        ageKeyFile: null,
        exitWhenHealthy: false,
        timeoutMs: 300_000,
      },
    ])
  })

  it('up passes on every option', async () => {
    const { seen, cli } = recorded()
    const given = '--repo r --ref v1 --path deploy --app shop --data-dir d --listen [::1]:0 --poll 500ms --allow-processes'.split(' ')
    const more =
      '--store etcd://a:2379,b:2379/demo --label zone=a --label disk=ssd --age-key-file k --exit-when-healthy --timeout 1m30s'.split(' ')
    await cli.run('up', ...given, ...more)
    expect(seen.up[0]).toEqual({
      repo: 'r',
      ref: 'v1',
      path: 'deploy',
      app: 'shop',
      dataDir: 'd',
      host: '[::1]',
      port: 0,
      pollMs: 500,
      processes: DEFAULT_PROCESS_POLICY,
      store: 'etcd://a:2379,b:2379/demo',
      labels: { zone: 'a', disk: 'ssd' },
      ageKeyFile: 'k',
      exitWhenHealthy: true,
      timeoutMs: 90_000,
    })
  })

  it('down takes the data directory', async () => {
    const { seen, cli } = recorded()
    await cli.run('down', '--data-dir', '/var/lib/drover')
    expect(seen.down).toEqual([{ dataDir: '/var/lib/drover' }])
  })

  it('tells of a role that fails without a stack', async () => {
    const roles = { ...IDLE, up: async () => Promise.reject(new Error('refusing to listen on 0.0.0.0')) }
    const { exit, stderr } = await cliOver(fakeControl(), { roles }).run('up', '--repo', '.')
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: 'error: refusing to listen on 0.0.0.0\n' })
  })
})

describe('rollback', () => {
  const asking = (answer: string) => {
    const questions: string[] = []
    const ask = async (question: string) => {
      questions.push(question)
      return answer
    }
    const control = fakeControl(shop())
    return { questions, control, cli: cliOver(control, { ask, isTTY: { stdin: true, stdout: false, stderr: false } }) }
  }

  it('asks on a terminal, and does nothing without a yes', async () => {
    const { questions, control, cli } = asking('')
    const { exit, stderr } = await cli.run('rollback', 'shop', '--to', '1')
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: 'error: nothing was rolled back\n' })
    expect(questions).toEqual(['roll shop back from main@1111111 to 1? what changed since then is quarantined. [y/N] '])
    expect(control.asked).toEqual([])
  })

  it('goes on after a yes, or with --yes unasked', async () => {
    const yes = asking('y')
    expect((await yes.cli.run('rollback', 'shop', '--to', '1')).exit).toBe(0)
    const flagged = asking('n')
    expect((await flagged.cli.run('rollback', 'shop', '--to', '1', '--yes', '--revert')).exit).toBe(0)
    expect(flagged.questions).toEqual([])
    expect(flagged.control.asked[0]?.request).toEqual({ to: '1', revert: 'CommitToGit', actor: 'cli:ann' })
  })
})

describe('manifests of a repository', () => {
  const text = readFileSync(join(import.meta.dirname, 'goldens/good/web.yaml'), 'utf8')
  const over = (seen: RepoAsked[]) => ({
    readRepo: async (asked: RepoAsked) => {
      seen.push(asked)
      return { revision: 'v1@sha1:x', files: [{ path: 'deploy/web.yaml', text }] }
    },
  })

  it('are read at a ref and validated', async () => {
    const seen: RepoAsked[] = []
    const cli = cliOver(fakeControl(), over(seen))
    const { exit, stdout } = await cli.run('validate', '--repo', 'https://git/x', '--ref', 'v1', '--path', 'deploy')
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'valid: 1 workload in 1 file\n' })
    expect(seen).toEqual([{ repo: 'https://git/x', ref: 'v1', path: 'deploy' }])
    expect((await cli.run('validate', '--repo', 'r', 'web.yaml')).exit).toBe(2)
  })

  it('are sent to the server as if they lay in the path of the app', async () => {
    const control = fakeControl(shop())
    const [app] = control.data.apps
    if (app !== undefined) control.data.apps = [{ ...app, source: { ...app.source, path: 'prod' } }]
    await cliOver(control, over([])).run('plan', '--repo', 'r', '--path', 'deploy')
    expect(control.asked).toEqual([{ verb: 'plan', app: 'shop', request: { ref: null, files: [{ path: 'prod/web.yaml', text }] } }])
  })
})

describe('colour', () => {
  const start = '\u001b['
  const printed = async (env: Record<string, string>, stdout: boolean, ...flags: string[]) =>
    (await cliOver(fakeControl(shop()), { env, isTTY: { stdin: false, stdout, stderr: false } }).run('status', ...flags)).stdout.includes(
      start,
    )

  it('is for terminals, and as NO_COLOR, FORCE_COLOR, TERM and --no-color say', async () => {
    expect(await printed({}, false)).toBe(false)
    expect(await printed({}, true)).toBe(true)
    expect(await printed({ NO_COLOR: '1' }, true)).toBe(false)
    expect(await printed({ NO_COLOR: '' }, true)).toBe(true)
    expect(await printed({ TERM: 'dumb' }, true)).toBe(false)
    expect(await printed({ FORCE_COLOR: '1' }, false)).toBe(true)
    expect(await printed({ FORCE_COLOR: '0' }, true)).toBe(false)
    expect(await printed({}, true, '--no-color')).toBe(false)
  })

  it('does not move columns', async () => {
    const plain = (await cliOver(fakeControl(shop())).run('get', 'tasks')).stdout
    const painted = (await cliOver(fakeControl(shop()), { env: { FORCE_COLOR: '1' } }).run('get', 'tasks')).stdout
    expect(painted).not.toBe(plain)
    expect(painted.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '')).toBe(plain)
  })

  it('marks the lines of a plan', async () => {
    const { stdout } = await cliOver(fakeControl(shop()), { env: { FORCE_COLOR: '1' } }).run('plan')
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      expect.stringContaining(`${start}35m-/+ deployment/web`),
      expect.stringContaining(`${start}33m      ~ spec`),
    ])
  })
})

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2000],
    ['1.5s', 1500],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
  ])('%s', (text, ms) => expect(durationOf(text)).toBe(ms))
  it.each(['', '5', 's', '5 s', '-5s', '1h30', 'abc 5'])('refuses "%s"', (text) => expect(() => durationOf(text)).toThrow('no duration'))
})

describe('starting up', () => {
  /** Files loaded at once by importing a file, found by following its static imports of values. */
  function loaded(file: string, seen = new Set<string>()): Set<string> {
    if (seen.has(file)) return seen
    seen.add(file)
    if (!file.startsWith('/')) return seen
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s(?!type\s)[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm)
    for (const [, from, bare] of imports) {
      const target = from ?? bare ?? ''
      loaded(target.startsWith('.') ? resolve(dirname(file), target) : target, seen)
    }
    return seen
  }

  it('loads commander and nothing else, so that help is quick', () => {
    const files = [...loaded(join(root, 'src/cli/main.ts'))]
    expect(files.filter((file) => !file.startsWith('/'))).toEqual(['commander'])
    expect(files.filter((file) => file.startsWith('/')).every((file) => file.startsWith(join(root, 'src/cli/')))).toBe(true)
    expect(files.length).toBeGreaterThan(5)
  })

  it('sees what is heavy where it is loaded', () => {
    expect([...loaded(join(root, 'src/api/serve.ts'))]).toContain('@hono/node-server')
  })

  it('really loads no more, as the engine tells', async () => {
    const script = `
      import { register } from 'node:module'
      const hook = 'export async function resolve(s, c, n) { const r = await n(s, c); if (r.url.includes("node_modules") && !r.url.includes("/tsx/")) process._rawDebug("LOADED " + r.url); return r }'
      register('data:text/javascript,' + encodeURIComponent(hook))
      await import(${JSON.stringify(join(root, 'src/cli/main.ts'))})`
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: root })
    const { stderr } = await run
    const packages = new Set([...stderr.matchAll(/^LOADED .*node_modules\/([^/\n]+)/gm)].map(([, name]) => name))
    expect([...packages]).toEqual(['commander'])
  })
})
