import type { RolloutFacts } from '../../../src/core/rollout/event.ts'
import type { RolloutEvent } from '../../../src/core/rollout/step.ts'
import type { DeploymentSpec } from '../../../src/model/manifest.ts'
import type { Evidence, Failure, Rollout, RolloutPhase, RolloutState } from '../../../src/model/rollout.ts'
import { deploymentVersion, digest, KEY, NOW, revision, task } from '../../support/make.ts'

const target = (word: string) => ({ inputsDigest: digest(word), templateDigest: digest(word), revision: revision(word) })

export const FAILURE: Failure = { code: 'CrashLoop', message: 'it fails again and again', because: null, evidence: [] }

/** One of each phase. */
export const STATES: { readonly [P in RolloutPhase]: Extract<RolloutState, { phase: P }> } = {
  Waiting: { phase: 'Waiting', stuckSince: null },
  Rolling: { phase: 'Rolling', step: 0, best: 1, progressAt: NOW },
  Paused: { phase: 'Paused', step: 0, until: NOW + 5000 },
  Proving: { phase: 'Proving', until: NOW + 3000 },
  Complete: { phase: 'Complete' },
  Failed: { phase: 'Failed', failure: FAILURE },
  RolledBack: { phase: 'RolledBack', failure: FAILURE },
  Superseded: { phase: 'Superseded' },
}

/** One of each event. */
export const EVENTS: { readonly [E in RolloutEvent['type']]: Extract<RolloutEvent, { type: E }> } = {
  cleared: { type: 'cleared', step: 0, available: 2 },
  stuck: { type: 'stuck' },
  moving: { type: 'moving' },
  progressed: { type: 'progressed', available: 3 },
  stepReached: { type: 'stepReached', until: NOW + 9000 },
  slipped: { type: 'slipped', available: 0 },
  pauseOver: { type: 'pauseOver', next: 1, available: 1 },
  retried: { type: 'retried' },
  settled: { type: 'settled', until: NOW + 7000 },
  completed: { type: 'completed' },
  failed: { type: 'failed', failure: FAILURE },
  returned: { type: 'returned', failure: FAILURE },
  superseded: { type: 'superseded' },
}

export function rollout(over: Partial<Rollout> = {}): Rollout {
  return {
    id: `${KEY}/1`,
    workload: KEY,
    app: 'shop',
    number: 1,
    generation: 1,
    intent: 'Update',
    cause: 'poll',
    from: target('old'),
    to: target('new'),
    startedAt: NOW,
    finishedAt: null,
    images: {},
    state: STATES.Waiting,
    ...over,
  }
}

export function specOf(spec: object = {}): DeploymentSpec {
  const version = deploymentVersion({ progressDeadlineSeconds: 60, ...spec })
  if (version.kind !== 'Deployment') throw new Error('a Deployment was asked for')
  return version.spec
}

export const CANARY = {
  strategy: {
    canary: {
      steps: [
        { replicas: 1, pauseSeconds: 5 },
        { percent: 50, manual: true },
      ],
    },
  },
  replicas: 4,
}

export function facts(over: Partial<RolloutFacts> = {}): RolloutFacts {
  const spec = over.spec ?? specOf({ replicas: 4 })
  return { spec, unmet: [], desired: 4, available: 0, settled: false, provedAt: NOW, crashing: [], lagging: [], ledSince: NOW, ...over }
}

export function evidence(over: Partial<Evidence> = {}): Evidence {
  const { id } = task()
  return {
    task: id,
    attempt: 2,
    code: 'BackOff',
    message: 'attempt 1 ended: Error, exit code 1',
    exitCode: 1,
    lastLines: ['boom'],
    ...over,
  }
}
