import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hider, type OpenedSecrets, openSecrets, withoutSecrets } from '../../runtime/secrets.ts'
import { TaskSpec } from '../../src/model/task-spec.ts'
import { TEST_KEYRING } from '../support/vault.ts'
import { processSpec } from './process/harness.ts'

const never = new AbortController().signal
const opened = (...values: string[]): OpenedSecrets => new Map(values.map((value, index) => [`a/b/${index}`, value]))

/** Spaces alone are no secret. */
const anySecret = fc.string({ minLength: 4 }).filter((text) => text.trim().length >= 4)

describe('secrets of a task', () => {
  it('are opened for variables and for files alike', async () => {
    const [one, two] = [TEST_KEYRING.seal('default/db/one', '1'), TEST_KEYRING.seal('default/db/two', '2')]
    const spec = processSpec(['true'], { secretEnv: { A: one, B: one } })
    const both = TaskSpec.parse({ ...spec, volumes: [{ type: 'secret', name: 'v', files: { f: two } }] })
    const secrets = await openSecrets(both, async (value) => TEST_KEYRING.open(value), never)
    expect([...secrets]).toEqual([
      ['default/db/one', '1'],
      ['default/db/two', '2'],
    ])
  })

  it('are blacked out of whatever a task says', () => {
    fc.assert(
      fc.property(anySecret, anySecret, fc.string(), (one, two, around) => {
        const said = hider(opened(one, two))(`${around}${one}${two}${around}`)
        for (const value of [one, two])
          if (!'(secret)'.includes(value) && !around.includes(value)) expect(said.replaceAll('(secret)', '\u0000')).not.toContain(value)
      }),
    )
    expect(hider(opened('hunter2', 'hunter2-and-more'))('x hunter2-and-more y')).toBe('x (secret) y')
    expect(hider(opened('-----KEY-----\nAAAA1111\n-----END-----'))('line AAAA1111')).toBe('line (secret)')
    expect(hider(opened('on'))('one on')).toBe('one on')
  })

  it('are blacked out also where a line was cut in the middle of them', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9'.repeat(40)
    const hide = hider(opened(token, 'top\r\nmiddle line\r\nend', '    \nindented'))
    expect(hide(`bad token: ${token}`.slice(0, 300))).toBe('bad token: (secret)')
    expect(hide(`bad token: ${token}`.slice(0, 15))).toBe('bad token: (secret)')
    expect(hide(`${token} was refused`.slice(-50))).toBe('(secret) was refused')
    expect(hide('it says middle line')).toBe('it says (secret)')
    expect(hide('    at Object.run (app.js:1)')).toBe('    at Object.run (app.js:1)')
  })

  it('are blacked out of last lines, reasons and failures, and of nothing else', () => {
    const secrets = opened('hunter2')
    const exit = { exitCode: 1, signal: null, reason: 'Error', startedAt: 1, finishedAt: 2, peakMemoryBytes: null }
    expect(withoutSecrets({ type: 'exited', exit, lastLines: ['with hunter2', 'plain'] }, secrets)).toEqual({
      type: 'exited',
      exit,
      lastLines: ['with (secret)', 'plain'],
    })
    const reason = { code: 'NotReady', message: 'GET /?p=hunter2 says 500', count: 2 }
    expect(withoutSecrets({ type: 'unready', reason, lastLines: [] }, secrets)).toEqual({
      type: 'unready',
      reason: { ...reason, message: 'GET /?p=(secret) says 500' },
      lastLines: [],
    })
    const failure = { retryable: false, code: 'StartFailed', message: 'cannot exec hunter2' }
    expect(withoutSecrets({ type: 'startFailed', failure }, secrets)).toEqual({
      type: 'startFailed',
      failure: { ...failure, message: 'cannot exec (secret)' },
    })
    expect(withoutSecrets({ type: 'started', ref: 'hunter2', ready: true }, secrets)).toEqual({
      type: 'started',
      ref: 'hunter2',
      ready: true,
    })
  })
})
