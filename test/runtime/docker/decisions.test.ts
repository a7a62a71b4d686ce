import type { ContainerInspectInfo } from 'dockerode'
import { describe, expect, it } from 'vitest'
import { addressOf } from '../../../runtime/drivers/docker/addresses.ts'
import { containerConfig, imageOf } from '../../../runtime/drivers/docker/container-config.ts'
import { engineError, pullFailure, startFailure } from '../../../runtime/drivers/docker/errors.ts'
import { type ExitContext, endOf, hasBegun } from '../../../runtime/drivers/docker/exit.ts'
import { lastingReference } from '../../../runtime/drivers/docker/image-reference.ts'
import { refOfLabels } from '../../../runtime/drivers/docker/names.ts'
import { ownHealth } from '../../../runtime/drivers/docker/own-health.ts'
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import { must } from '../../../src/lib/must.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { ProbeSpec } from '../../../src/model/probe.ts'
import { containerSpec } from './harness.ts'

const T0 = Date.parse('2026-11-20T12:00:00Z')
const SECOND = 1000
const iso = (at: number): string => new Date(at).toISOString()
const NEVER = '0001-01-01T00:00:00Z'
const CALM: ExitContext = { stopped: false, outages: [], bootedAt: T0 - 1_000 * SECOND }

function ended(state: Partial<ContainerInspectInfo['State']>): ContainerInspectInfo {
  const plain = { Status: 'exited', Running: false, OOMKilled: false, ExitCode: 0, StartedAt: iso(T0), FinishedAt: iso(T0 + 60 * SECOND) }
  return { State: { ...plain, ...state } } as ContainerInspectInfo
}

describe('how a container ended', () => {
  const outage = { from: T0 + 50 * SECOND, to: T0 + 70 * SECOND }
  it.each<[string, Partial<ContainerInspectInfo['State']>, Partial<ExitContext>, [string, number | null, string | null]]>([
    ['0 is completed', {}, {}, ['Completed', 0, null]],
    ['another code is an error', { ExitCode: 3 }, {}, ['Error', 3, null]],
    ['out of memory', { ExitCode: 137, OOMKilled: true }, { outages: [outage] }, ['OOMKilled', 137, 'SIGKILL']],
    ['D1: killed while the daemon was away', { ExitCode: 137 }, { outages: [outage] }, ['RuntimeRestart', 137, 'SIGKILL']],
    [
      'killed while it is still away',
      { ExitCode: 143 },
      { outages: [{ from: outage.from, to: null }] },
      ['RuntimeRestart', 143, 'SIGTERM'],
    ],
    ['killed long before it went away', { ExitCode: 137 }, { outages: [{ from: T0 + 90 * SECOND, to: null }] }, ['Error', 137, 'SIGKILL']],
    ['killed after it came back', { ExitCode: 137 }, { outages: [{ from: T0, to: T0 + 10 * SECOND }] }, ['Error', 137, 'SIGKILL']],
    ['stopped by us while it was away', { ExitCode: 137 }, { outages: [outage], stopped: true }, ['Error', 137, 'SIGKILL']],
    ['crashed by itself while it was away', { ExitCode: 1 }, { outages: [outage] }, ['Error', 1, null]],
    ['found dead after a reboot', { ExitCode: 255 }, { bootedAt: T0 + 55 * SECOND }, ['HostReboot', null, null]],
    ['ended before the reboot', { ExitCode: 4 }, { bootedAt: T0 + 90 * SECOND }, ['Error', 4, null]],
  ])('%s', (_, state, context, [reason, exitCode, signal]) => {
    const times = { startedAt: T0, finishedAt: T0 + 60 * SECOND }
    expect(endOf(ended(state), { ...CALM, ...context })).toEqual({ ...times, reason, exitCode, signal })
  })

  it('never ends before it started, and has not begun while Docker says year 1', () => {
    const { startedAt, finishedAt } = endOf(ended({ FinishedAt: NEVER }), CALM)
    expect([startedAt, finishedAt]).toEqual([T0, T0])
    expect([hasBegun(ended({})), hasBegun(ended({ StartedAt: NEVER }))]).toEqual([true, false])
  })
})

/** As dockerode throws it. */
const answer = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode})`), { statusCode, json: { message } })

describe('what an error of the engine means', () => {
  it.each<[string, Error, string | null]>([
    [
      'port',
      answer(500, 'driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated'),
      'PortInUse',
    ],
    ['port taken by a process', answer(500, 'listen tcp4 0.0.0.0:80: bind: address already in use'), 'PortInUse'],
    ['program', answer(400, 'exec: "x": executable file not found in $PATH'), 'StartFailed'],
    ['user', answer(400, 'unable to find user bob: no matching entries in passwd file'), 'UserNotFound'],
    ['network gone', answer(404, 'network drover not found'), null],
    ['daemon in trouble', answer(500, 'context deadline exceeded'), null],
    ['anything else', answer(500, 'strange'), 'StartFailed'],
  ])('start: %s', (_, error, code) => {
    const failure = startFailure(error)
    expect(failure).toBeInstanceOf(code === null ? RetryableError : TerminalError)
    if (code !== null) expect(failure).toHaveProperty('code', code)
  })

  it.each<[string, Error, string | null]>([
    ['404', answer(404, 'manifest for x:1 not found: manifest unknown'), 'ImageNotFound'],
    ['denied', answer(404, 'pull access denied for x, repository does not exist or may require docker login'), 'ImageNotFound'],
    ['unauthorized', answer(500, 'Get https://r/v2/: unauthorized: authentication required'), 'ImageNotFound'],
    ['wrong platform', new Error('no matching manifest for linux/amd64 in the manifest list entries'), 'ImageNotFound'],
    ['bad name', answer(400, 'invalid reference format'), 'InvalidImageName'],
    ['no DNS', answer(500, 'Get https://r/v2/: dial tcp: lookup r: no such host'), null],
    ['refused', answer(500, 'Get https://r/v2/: dial tcp 127.0.0.1:1: connect: connection refused'), null],
    ['slow', answer(500, 'net/http: request canceled (Client.Timeout exceeded while awaiting headers)'), null],
    ['disk full, told inside the stream', new Error('write /x: no space left on device'), null],
    ['daemon gone', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), null],
  ])('pull: %s', (_, error, code) => {
    const failure = pullFailure(error, 'r/x:1')
    expect(failure.message).toContain('r/x:1')
    expect(failure).toBeInstanceOf(code === null ? RetryableError : TerminalError)
    if (code !== null) expect(failure).toHaveProperty('code', code)
  })

  it('no answer and 5xx may pass, 4xx will not, and its own words are kept', () => {
    expect(engineError(new Error('connect ENOENT'), 'list')).toBeInstanceOf(RetryableError)
    expect(engineError(answer(500, 'x'), 'list')).toBeInstanceOf(RetryableError)
    expect(engineError(answer(400, 'because'), 'list')).toMatchObject({
      code: 'RuntimeRefused',
      message: 'Docker refused, cannot list: because',
    })
  })
})

describe('what Docker is told', () => {
  const plan = {
    identity: { cluster: 'c', agent: 'a' },
    ref: { task: TaskId.parse('t-1'), attempt: 2 },
    mounts: [],
    secrets: new Map(),
    network: 'drover',
  }
  const config = (unit: Parameters<typeof containerSpec>[0], task: Parameters<typeof containerSpec>[1] = {}) =>
    containerConfig({ ...plan, spec: containerSpec(unit, task) })

  it('names it after the attempt', () => {
    expect(config({}).name).toBe('drover-a-t-1-2')
  })

  it('command and args replace entrypoint and arguments as in Kubernetes', () => {
    expect(config({ command: ['a'], args: ['b'] })).toMatchObject({ Entrypoint: ['a'], Cmd: ['b'] })
    // The image's own arguments are not for another program.
    expect(config({ command: ['a'] })).toMatchObject({ Entrypoint: ['a'], Cmd: [] })
    expect(config({ args: ['b'] })).toMatchObject({ Cmd: ['b'] })
    expect(config({ args: ['b'] })).not.toHaveProperty('Entrypoint')
    expect(config({})).not.toHaveProperty('Cmd')
  })

  it('publishes ports on the bridge, several on one container port too, and none on the host network', () => {
    const port = { name: 'a', containerPort: 53, hostPort: 7001, protocol: 'TCP' as const }
    const ports = [port, { ...port, name: 'b', hostPort: 7002 }, { ...port, name: 'c', protocol: 'UDP' as const }]
    expect(config({ ports }, { hostNetwork: false }).HostConfig).toMatchObject({
      NetworkMode: 'drover',
      PortBindings: { '53/tcp': [{ HostPort: '7001' }, { HostPort: '7002' }], '53/udp': [{ HostPort: '7001' }] },
    })
    expect(config({ ports }).HostConfig).toMatchObject({ NetworkMode: 'host', PortBindings: {} })
  })

  it('runs the very image that is pinned, and leaves the health check of the image alone unless the manifest has probes', () => {
    const pinned = `r/x@sha256:${'a'.repeat(64)}`
    expect(config({ image: 'r/x:1', pinned }).Image).toBe(pinned)
    const check = { type: 'exec' as const, command: ['true'] }
    const times = { initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 1 }
    const probe: ProbeSpec = { check, ...times }
    expect(config({})).not.toHaveProperty('Healthcheck')
    expect(config({ probes: { liveness: probe } })).toMatchObject({ Healthcheck: { Test: ['NONE'] } })
  })

  it('reads the attempt back from labels, and nothing from half a mark', () => {
    expect(refOfLabels(config({}).Labels ?? {})).toEqual(plan.ref)
    for (const labels of [
      {},
      { 'drover.dev/task': 't' },
      { 'drover.dev/task': 'T!', 'drover.dev/attempt': '1' },
      { 'drover.dev/task': 't', 'drover.dev/attempt': 'x' },
    ]) {
      expect(refOfLabels(labels as Record<string, string>)).toBeNull()
    }
  })
})

describe('the very image', () => {
  const ID = `sha256:${'1'.repeat(64)}`
  const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
  it.each<[string, readonly string[] | null, string]>([
    ['web:1', null, ID],
    ['web:1', [], ID],
    ['web:1', [`web@${digest('a')}`], `web@${digest('a')}`],
    ['docker.io/library/web', [`web@${digest('a')}`], `web@${digest('a')}`],
    ['docker.io/shop/web:1', [`shop/web@${digest('a')}`], `shop/web@${digest('a')}`],
    // Another repository may be out of reach, or vanish, though it had the same image.
    ['web:1', [`other/web@${digest('a')}`], ID],
    [
      '127.0.0.1:5000/shop/web',
      [`shop/web@${digest('b')}`, `127.0.0.1:5000/shop/web@${digest('a')}`],
      `127.0.0.1:5000/shop/web@${digest('a')}`,
    ],
    ['web:1', [`web@${digest('b')}`, `web@${digest('a')}`], `web@${digest('a')}`],
    [`web:1@${digest('b')}`, [`web@${digest('a')}`, `web@${digest('b')}`], `web@${digest('b')}`],
    [ID, null, ID],
  ])('%s, known as %j', (image, RepoDigests, reference) => {
    expect(lastingReference(image, { Id: ID, RepoDigests })).toBe(reference)
  })

  it('has a name that the driver takes', () => {
    const unit = must(containerSpec({}).units[0], 'a unit')
    for (const pinned of [ID, `web@${digest('a')}`, `127.0.0.1:5000/shop/web@${digest('a')}`])
      expect(imageOf({ ...unit, pinned })).toBe(pinned)
    expect(() => imageOf({ ...unit, pinned: '../x' })).toThrow(TerminalError)
  })
})

describe('a container as it is found', () => {
  const found = (State: object, network: object | null = null) =>
    ({
      State: { Running: true, ...State },
      NetworkSettings: { Networks: network === null ? {} : { drover: network } },
    }) as ContainerInspectInfo

  it('is as well as its own health check says', () => {
    expect(ownHealth(found({}))).toBe('none')
    expect(ownHealth(found({ Health: { Status: 'none' } }))).toBe('none')
    for (const Status of ['starting', 'healthy', 'unhealthy']) expect(ownHealth(found({ Health: { Status } }))).toBe(Status)
    for (const info of [null, found({ Running: false }), found({ Paused: true, Health: { Status: 'healthy' } })]) {
      expect(ownHealth(info), 'no reason to restart it').toBe('starting')
    }
  })

  it('is asked at its own address on the bridge, on the host network at the loopback', () => {
    const bridge = { hostNetwork: false }
    expect(addressOf(found({}, { IPAddress: '172.18.0.2', GlobalIPv6Address: '' }), bridge)).toBe('172.18.0.2')
    expect(addressOf(found({}, { IPAddress: '', GlobalIPv6Address: 'fd00::2' }), bridge)).toBe('fd00::2')
    expect(addressOf(found({}), bridge)).toBeNull()
    expect(addressOf(found({}), { hostNetwork: true })).toBe('127.0.0.1')
    expect(addressOf(found({ Running: false }, { IPAddress: '172.18.0.2' }), bridge)).toBeNull()
  })
})
