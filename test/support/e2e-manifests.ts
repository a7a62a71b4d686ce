/** Manifests of the end-to-end tests: small, quick to stop, and telling a ledger what they do. */

export function container(
  name: string,
  options: { version: string; replicas?: number; network?: 'host' | 'bridge'; ledgerPort?: number },
): string {
  const { version, replicas = 1, network = 'host', ledgerPort } = options
  const tell = ledgerPort === undefined ? '' : `echo "start $DROVER_TASK $DROVER_ATTEMPT" | nc 127.0.0.1 ${ledgerPort}; `
  return `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  template:
    spec:
      hostNetwork: ${network === 'host'}
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: drover-example/busybox:1
        command: [sh, -c, '${tell}trap "exit 0" TERM; while :; do sleep 0.2; done']
        env: [{name: VERSION, value: "${version}"}]
`
}

export function processes(name: string, options: { version: string; replicas?: number; ledger?: string }): string {
  const { version, replicas = 1, ledger } = options
  const tell = ledger === undefined ? '' : `echo "start $DROVER_TASK $DROVER_ATTEMPT" >> ${ledger}; `
  return `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  template:
    spec:
      terminationGracePeriodSeconds: 1
      processes:
      - name: main
        command: [sh, -c, '${tell}trap "exit 0" TERM; while :; do sleep 0.2; done']
        env: [{name: VERSION, value: "${version}"}]
`
}

export function job(name: string, options: { version: string; exitCode: number; ledger: string }): string {
  const { version, exitCode, ledger } = options
  return `apiVersion: drover.dev/v1
kind: Job
metadata: {name: ${name}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      processes:
      - name: main
        command: [sh, -c, 'echo "start $DROVER_TASK $DROVER_ATTEMPT" >> ${ledger}; sleep 0.4; echo "end $DROVER_TASK $DROVER_ATTEMPT ${exitCode}" >> ${ledger}; exit ${exitCode}']
        env: [{name: VERSION, value: "${version}"}]
`
}

/** A CronJob whose runs write their name into the ledger; `when` is its schedule or what it comes after. */
export function cron(name: string, options: { when: string; exitCode: number; ledger: string }): string {
  const { when, exitCode, ledger } = options
  return `apiVersion: drover.dev/v1
kind: CronJob
metadata: {name: ${name}}
spec:
  ${when}
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          processes: [{name: main, command: [sh, -c, 'echo ${name} >> ${ledger}; exit ${exitCode}']}]
`
}

/** A Deployment on the fake driver; `more` goes into its spec, `unit` is how its container behaves. */
export function fake(name: string, options: { version: string; replicas?: number; more?: string; unit?: string }): string {
  const { version, replicas = 2, more = '', unit = '{}' } = options
  return `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  ${more}
  template:
    spec:
      driver: fake
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: pretend/${name}:${version}
        fake: ${unit}
`
}

export function policy(sync: object): string {
  return `apiVersion: drover.dev/v1\nkind: App\nmetadata: {name: demo}\nspec: {sync: ${JSON.stringify(sync)}}\n`
}
