import { describe, expect, it } from 'vitest'
import { taskSpec } from '../../src/core/task-spec.ts'
import { deploymentVersion, jobVersion, task } from '../support/make.ts'
import { TEST_KEYRING } from '../support/vault.ts'

const sealed = (key: string) => TEST_KEYRING.seal(`default/db/${key}`, `plain ${key}`)
const secrets = { db: { password: sealed('password'), DROVER_TASK: sealed('DROVER_TASK'), LEVEL: sealed('LEVEL') } }
const version = (container: object, volumes: object[] = []) => ({
  ...deploymentVersion({ template: { spec: { containers: [{ name: 'main', image: 'app:1', ...container }], volumes } } }),
  configs: { app: { LEVEL: 'info' } },
  secrets,
})
const unitOf = (container: object) => taskSpec(task(), version(container)).units[0]

describe('secrets in the environment of a task', () => {
  it('stay sealed, by themselves or the whole Secret', () => {
    const unit = unitOf({
      env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }],
      envFrom: [{ prefix: 'DB_', secretRef: { name: 'db' } }],
    })
    expect(unit?.secretEnv).toEqual({
      PASSWORD: secrets.db.password,
      DB_password: secrets.db.password,
      DB_DROVER_TASK: secrets.db.DROVER_TASK,
      DB_LEVEL: secrets.db.LEVEL,
    })
    expect(JSON.stringify(unit)).not.toContain('plain ')
  })

  it('win or lose by their place, as plain values do, and never stand for a name of Drover', () => {
    const secretLast = unitOf({ envFrom: [{ configMapRef: { name: 'app' } }, { secretRef: { name: 'db' } }] })
    expect(secretLast?.secretEnv.LEVEL).toEqual(secrets.db.LEVEL)
    expect(secretLast?.env).not.toHaveProperty('LEVEL')
    expect(secretLast?.secretEnv).not.toHaveProperty('DROVER_TASK')
    expect(secretLast?.env.DROVER_TASK).toBe(task().id)
    const plainLast = unitOf({ envFrom: [{ secretRef: { name: 'db' } }], env: [{ name: 'LEVEL', value: 'debug' }] })
    expect(plainLast?.env.LEVEL).toBe('debug')
    expect(plainLast?.secretEnv).not.toHaveProperty('LEVEL')
  })

  it('are files of a volume that no task writes to', () => {
    const volumeMounts = [{ name: 'db', mountPath: '/secrets', readOnly: false }]
    const spec = taskSpec(task(), version({ volumeMounts }, [{ name: 'db', secret: { secretName: 'db' } }]))
    expect(spec.volumes).toEqual([{ type: 'secret', name: 'db', files: secrets.db }])
    expect(spec.units[0]?.mounts).toEqual([{ volume: 'db', mountPath: '/secrets', readOnly: true }])
  })
})

it('tells an indexed task its number, and no other', () => {
  const envOf = (spec: object) => taskSpec(task({ slot: '7' }), jobVersion(spec)).units[0]?.env
  expect(envOf({ completions: 9, completionMode: 'Indexed' })).toMatchObject({ DROVER_INDEX: '7', DROVER_SLOT: '7' })
  expect(envOf({ completions: 9 })).not.toHaveProperty('DROVER_INDEX')
})
