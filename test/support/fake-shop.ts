import type { FakeData } from './fake-control.ts'
import {
  agentView,
  appView,
  attemptView,
  COMMIT_1,
  historyView,
  NOW,
  REVISION_1,
  REVISION_2,
  runView,
  taskView,
  workloadView,
} from './fake-views.ts'

/** A shop in some trouble: one healthy app with two workloads, one degraded app whose newest commit is broken. */
export function shop(): Partial<FakeData> {
  const crash = { code: 'BackOff', message: 'exited with code 1, next start in 40 s', count: 2 }
  return {
    version: { version: '0.1.0', cluster: 'shop-cluster', epoch: 3, app: 'shop' },
    apps: [
      appView({
        workloads: [workloadView(), workloadView({ kind: 'Job', name: 'migrate', desired: 1, ready: 1 })],
      }),
      appView({
        name: 'stock',
        sync: 'OutOfSync',
        health: 'Degraded',
        observedRevision: REVISION_2,
        lastAttemptedRevision: REVISION_2,
        workloads: [
          workloadView({ name: 'count', namespace: 'back', app: 'stock', health: 'Degraded', desired: 3, ready: 1, reasons: [crash] }),
        ],
        problems: [{ file: 'stock/count.yaml', line: 7, column: 3, message: 'unknown field "replica"', hint: 'did you mean "replicas"?' }],
        holds: [
          {
            gate: 'InvalidManifests',
            message: '1 problem in 1 file',
            since: '2026-11-20T11:50:00.000Z',
            unblockBy: 'push a commit without it',
          },
        ],
      }),
    ],
    tasks: [
      taskView(),
      taskView({ id: 'web-1-abd34', slot: '1', ports: { http: 20002 }, agent: 'node-2' }),
      taskView({
        id: 'count-0-bad56',
        app: 'stock',
        namespace: 'back',
        workload: 'count',
        ready: false,
        attempt: 4,
        exitCode: 1,
        reasons: [{ code: 'BackOff', message: 'exited with code 1, next start in 40 s', count: 1 }],
        attempts: [
          {
            attempt: 3,
            exitCode: 1,
            signal: null,
            reason: 'Error',
            message: null,
            startedAt: '2026-11-20T11:58:00.000Z',
            finishedAt: '2026-11-20T11:58:01.000Z',
            peakMemoryBytes: 12_582_912,
          },
        ],
      }),
      taskView({
        id: 'count-1-new78',
        app: 'stock',
        namespace: 'back',
        workload: 'count',
        slot: '1',
        agent: null,
        phase: 'Pending',
        ready: false,
        attempt: 0,
        reasons: [{ code: 'InsufficientCpu', message: 'needs 4 cores', count: 2 }],
        createdAt: '2026-11-20T11:59:30.000Z',
      }),
    ],
    runs: [
      runView(),
      runView({
        id: 'report-7',
        job: 'report',
        phase: 'Failed',
        exitCode: 137,
        reason: 'BackoffLimitExceeded',
        finishedAt: '2026-11-20T11:30:00.000Z',
        attempts: [attemptView(), attemptView({ attempt: 2, peakMemoryBytes: null, startedAt: null })],
      }),
    ],
    agents: [agentView(), agentView({ id: 'node-2', status: 'Suspect', labels: { os: 'linux', zone: 'b' } })],
    history: [
      historyView({
        id: 2,
        revision: REVISION_2,
        subject: 'Sell\u001b[31m more\u202e',
        outcome: 'Degraded',
        startedAt: '2026-11-20T11:50:00.000Z',
        finishedAt: null,
      }),
      historyView(),
    ],
    events: [
      {
        id: 'e1',
        at: '2026-11-20T11:00:00.000Z',
        object: 'app/shop',
        app: 'shop',
        reason: 'Synced',
        message: `applied ${COMMIT_1.slice(0, 7)}`,
        level: 'Normal',
        actor: 'git',
      },
      {
        id: 'e2',
        at: '2026-11-20T11:51:00.000Z',
        object: 'deployment/back/count',
        app: 'stock',
        reason: 'CrashLoop',
        message: 'line one\nline two \u001b]0;pwned\u0007',
        level: 'Warning',
        actor: 'agent/node-1',
      },
    ],
    why: {
      object: 'deployment/count',
      health: 'Degraded',
      summary: '1 of 3 ready; 1 backs off, 1 is not placed',
      lines: [
        {
          about: 'task/count-0-bad56',
          reasons: [{ code: 'BackOff', message: 'exited with code 1', count: 1 }],
          until: '2026-11-20T12:00:40.000Z',
        },
        {
          about: 'task/count-1-new78',
          reasons: [
            { code: 'InsufficientCpu', message: 'needs 4 cores', count: 2 },
            { code: 'ConstraintNotMet', message: 'zone in (c)', count: 1 },
          ],
          until: null,
        },
      ],
      nextWake: '2026-11-20T12:00:40.000Z',
    },
    plan: {
      app: 'shop',
      from: REVISION_1,
      to: REVISION_2,
      changes: [
        {
          action: 'replace',
          namespace: 'default',
          kind: 'Deployment',
          name: 'web',
          fields: [{ path: 'spec.template.spec.containers[web].image', before: 'nginx:1.26', after: 'nginx:1.27', forcesRestart: true }],
          notes: [],
        },
      ],
      counts: { add: 0, change: 0, replace: 1, destroy: 0 },
      problems: [],
      holds: [],
      order: [['Deployment default/web']],
      fingerprint: 'f00d',
      text: '-/+ deployment/web\n      ~ spec.template.spec.containers[web].image: "nginx:1.26" -> "nginx:1.27" (forces restart)\n\nPlan: 0 to add, 0 to change, 1 to replace, 0 to destroy.\n',
    },
    objects: [{ apiVersion: 'drover.dev/v1', kind: 'Deployment', metadata: { name: 'web' } }],
    logs: {
      'web-0-abc12': [
        { stream: 'stdout', at: null, text: 'listening on 20001' },
        { stream: 'stderr', at: null, text: '\u001b[31mred\u001b[0m\tand \u202eturned' },
      ],
      'web-1-abd34': [
        { stream: 'stdout', at: null, text: 'listening on 20002' },
        { stream: 'stdout', at: NOW - 600_000, text: 'GET /' },
        { stream: 'stderr', at: NOW - 60_000, text: 'GET /missing' },
      ],
      'migrate-0-xyz': [{ stream: 'stdout', at: null, text: 'migrated 3 tables' }],
      'count-0-bad56': [],
    },
  }
}
