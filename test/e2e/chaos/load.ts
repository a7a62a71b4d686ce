import { commitFiles } from '../../support/git-repo.ts'
import { shortTasks } from '../../support/short-tasks.ts'
import type { GitServer } from './git-server.ts'

export const STEADY = 6
const ROLLING = 4
const BOXES = 2
const SHORT_TASKS = 12
/** Short jobs that stay in git when they are over. */
const JOBS_KEPT = 2
/** As many as a sync removes without asking, though it may have missed the commits between. */
const REMOVED_AT_ONCE = 3

/** What every task is given: `SUITE` tells its processes, and it writes what it does to `LEDGER`. */
export interface LoadOptions {
  readonly git: GitServer
  readonly ledger: string
  readonly mark: string
}

/** Commits that make work: something that stays, something that is rolled out, and batches. */
export class Load {
  /** Commits so far. */
  version = 0
  /** Short jobs in git, oldest first. */
  readonly #jobs: string[] = []
  readonly #options: LoadOptions

  constructor(options: LoadOptions) {
    this.#options = options
  }

  /** Of what is over, at quiet; what is still at work is never taken away. */
  tidy(): void {
    const over = this.#jobs.splice(0, Math.max(0, Math.min(REMOVED_AT_ONCE, this.#jobs.length - JOBS_KEPT)))
    if (over.length > 0) commitFiles(this.#options.git.repo, Object.fromEntries(over.map((name) => [fileOf(name), null])), 'tidy')
  }

  /** What every commit brings: a new version of `rolling` and `solo`, and one more short job. */
  commit(): string {
    this.version += 1
    const { ledger, mark, git } = this.#options
    const name = `short-${this.version}`
    const short = { completions: SHORT_TASKS, parallelism: 6, isolation: this.version % 3 === 0 ? 'none' : 'cgroup', ledger, mark } as const
    this.#jobs.push(name)
    return commitFiles(
      git.repo,
      {
        ...(this.version === 1 ? this.#first() : {}),
        [fileOf(name)]: shortTasks({ ...short, name }),
        'rolling.yaml': this.#service('rolling', ROLLING, String(this.version)),
        'solo.yaml': this.#solo(String(this.version)),
      },
      `version ${this.version}`,
    )
  }

  /** What no later commit touches. */
  #first(): Record<string, string> {
    return { 'steady.yaml': this.#service('steady', STEADY, '1'), 'boxes.yaml': BOXES_MANIFEST, 'tick.yaml': this.#tick() }
  }

  #env(version: string): string {
    const { ledger, mark } = this.#options
    return `[{name: SUITE, value: "${mark}"}, {name: LEDGER, value: "${ledger}"}, {name: VERSION, value: "${version}"}]`
  }

  #service(name: string, replicas: number, version: string): string {
    return `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}
  minReadySeconds: 0
  template:
    spec:
      terminationGracePeriodSeconds: 5
      placement: {nodeSelector: {fleet: "yes"}}
      processes:
      - name: main
        command: [sh, -c, ${JSON.stringify(SERVES)}]
        env: ${this.#env(version)}
`
  }

  /** The same index of two runs must never run at once, although each commit brings another run. */
  #solo(version: string): string {
    return `apiVersion: drover.dev/v1
kind: Job
metadata: {name: solo}
spec:
  completions: 2
  parallelism: 2
  backoffLimit: 100
  exclusive: true
  runPolicy: OnChange
  template:
    spec:
      restartPolicy: OnFailure
      terminationGracePeriodSeconds: 5
      placement: {nodeSelector: {fleet: "yes"}}
      processes:
      - name: main
        command: [sh, -c, ${JSON.stringify(WORKS)}]
        env: ${this.#env(version)}
`
  }

  #tick(): string {
    return `apiVersion: drover.dev/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Allow
  jobTemplate:
    spec:
      backoffLimit: 100
      template:
        spec:
          restartPolicy: OnFailure
          placement: {nodeSelector: {fleet: "yes"}}
          processes:
          - name: main
            command: [sh, -c, ${JSON.stringify(WORKS)}]
            env: ${this.#env('1')}
`
  }
}

const fileOf = (job: string): string => `${job}.yaml`

const TELLS = 'tell() { read -r now idle < /proc/uptime; echo "$1 $DROVER_TASK $DROVER_ATTEMPT $DROVER_SLOT $HOME $now $2" >> "$LEDGER"; }'

/** Runs until it is told to end. */
const SERVES = `${TELLS}
tell start ''
trap 'kill $!; tell end 0; exit 0' TERM
sleep 1000000 & wait`

/** Runs for 3 s, and says so when it is told to end before. */
const WORKS = `${TELLS}
tell start ''
trap 'kill $!; tell end 143; exit 143' TERM
sleep 3 & wait
tell end 0`

const BOXES_MANIFEST = `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: boxes}
spec:
  replicas: ${BOXES}
  template:
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 1
      placement: {nodeSelector: {docker: "yes"}}
      containers:
      - name: main
        image: drover-example/busybox:1
        imagePullPolicy: Never
        command: [sh, -c, 'trap "exit 0" TERM; sleep 1000000 & wait']
`
