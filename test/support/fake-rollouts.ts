import type { FakeData } from './fake-control.ts'
import {
  appView,
  evidenceView,
  historyView,
  quarantineView,
  REVISION_1,
  REVISION_2,
  rolledBackView,
  rolloutView,
  runView,
  taskView,
  workloadView,
} from './fake-views.ts'

const API = 'default/Deployment/api'

/** A shop in the middle of things: a canary that waits for a person, a rollout, one that was rolled back because of another. */
export function rolling(): Partial<FakeData> {
  const canary = rolloutView({ phase: 'Paused', step: { number: 1, of: 2, replicas: 1 }, updated: 1, available: 5, deadline: null })
  const cart = rolloutView({ id: 'back/Deployment/cart/2', namespace: 'back', workload: 'cart', number: 2 })
  const api = rolledBackView({ id: `${API}/7`, workload: 'api', number: 7 })
  const because = `DependencyFailed: ${API} was rolled back`
  return {
    version: { version: '0.1.0', cluster: 'shop-cluster', epoch: 3, app: 'shop' },
    apps: [
      appView({
        sync: 'OutOfSync',
        health: 'Progressing',
        observedRevision: REVISION_2,
        lastAttemptedRevision: REVISION_2,
        lastAppliedRevision: REVISION_2,
        workloads: [
          workloadView({ name: 'api', revision: REVISION_1, rollout: api, quarantine: quarantineView() }),
          workloadView({
            namespace: 'back',
            name: 'cart',
            health: 'Progressing',
            desired: 5,
            ready: 4,
            revision: REVISION_2,
            rollout: cart,
          }),
          workloadView({
            name: 'front',
            revision: REVISION_1,
            quarantine: quarantineView({ reason: because, because: API, evidence: [] }),
            rollout: rolloutView({ id: 'default/Deployment/front/5', workload: 'front', intent: 'Restore', cause: 'automatic rollback' }),
          }),
          workloadView({ health: 'Progressing', desired: 5, ready: 5, revision: REVISION_2, rollout: canary }),
          workloadView({ kind: 'Job', name: 'migrate', desired: 1, ready: 1 }),
        ],
      }),
    ],
    rollouts: [
      canary,
      cart,
      api,
      rolloutView({ id: `${API}/6`, workload: 'api', number: 6, phase: 'Complete', revision: REVISION_1, fromRevision: null, ...OVER }),
    ],
    tasks: [taskView(), taskView({ id: 'api-0-old11', workload: 'api', inputsDigest: 'a'.repeat(64) })],
    runs: [runView(), runView({ id: 'migrate-2', number: 2, phase: 'Pending', startedAt: null, finishedAt: null, exitCode: null })],
    history: [
      historyView({
        id: 2,
        revision: REVISION_2,
        subject: 'Sell more',
        cause: 'poll',
        outcome: 'RolledBack',
        reason: 'CrashLoop: 2 of 2 new tasks crash',
        startedAt: '2026-11-20T11:59:00.000Z',
        finishedAt: '2026-11-20T11:59:42.000Z',
        results: [
          { workload: API, result: 'RolledBack', rollout: `${API}/7`, run: null },
          { workload: 'back/Deployment/cart', result: 'Complete', rollout: 'back/Deployment/cart/2', run: null },
          { workload: 'default/Job/migrate', result: 'Complete', rollout: null, run: 'migrate-1' },
        ],
      }),
      historyView(),
    ],
    events: [
      {
        id: 'e1',
        at: '2026-11-20T11:59:42.000Z',
        object: 'deployment/default/api',
        app: 'shop',
        reason: 'RolledBack',
        message: `rollout 7 failed after attempt ${evidenceView().attempt}`,
        level: 'Warning',
        actor: 'drover',
      },
    ],
  }
}

const OVER = {
  desired: null,
  updated: null,
  available: null,
  deadline: null,
  startedAt: '2026-11-20T10:00:00.000Z',
  finishedAt: '2026-11-20T10:00:30.000Z',
}
