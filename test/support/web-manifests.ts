/** How a new version of the Deployments here is rolled out. */
export interface Pace {
  readonly replicas: number
  readonly maxSurge: number
  readonly maxUnavailable: number
  readonly minReadySeconds: number
  readonly progressDeadlineSeconds: number
}

/** A web server of the example image whose readiness is a file that a ConfigMap brings, and the ways in which a new version of it is bad. */
export interface WebServer extends Pace {
  readonly version: string
  readonly image: string
  readonly fault: WebFault | null
}

export const WEB_FAULTS = [
  'bad image',
  'program missing',
  'exits at once',
  'never ready',
  'crashes after it was ready',
  'bad config',
] as const
export type WebFault = (typeof WEB_FAULTS)[number]

/** What the probe asks for, and whoever uses it. */
export const WEB_PATH = '/health.html'

const SERVES = 'httpd -f -p 127.0.0.1:$PORT_HTTP -h /site'
/** After its first probe passed (1 s), and long before it counts as available, for an end is told a moment late. */
const CRASH = `${SERVES} & sleep 1.8; exit 1`
const GOOD = `trap "exit 0" TERM; ${SERVES} & wait`

const COMMANDS: Partial<Record<WebFault, string>> = {
  'program missing': '[/bin/no-such-program]',
  'exits at once': '[sh, -c, "echo cannot start; exit 3"]',
  'crashes after it was ready': `[sh, -c, '${CRASH}']`,
}

/** A Deployment up to the tasks it runs. */
const deployment = (name: string, pace: Pace): string => `apiVersion: drover.dev/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${pace.replicas}
  strategy: {rollingUpdate: {maxSurge: ${pace.maxSurge}, maxUnavailable: ${pace.maxUnavailable}}}
  minReadySeconds: ${pace.minReadySeconds}
  progressDeadlineSeconds: ${pace.progressDeadlineSeconds}
  template:
    spec:
      terminationGracePeriodSeconds: 1
`

/** The files of one version. A fault of the ConfigMap leaves the Deployment's text as it is. */
export function webServer(server: WebServer): Record<string, string> {
  const { version, fault } = server
  const image = fault === 'bad image' ? 'drover-e2e/not-there:1' : server.image
  const command = fault === null ? undefined : COMMANDS[fault]
  return {
    'config.yaml': `apiVersion: drover.dev/v1
kind: ConfigMap
metadata: {name: site}
data: {${fault === 'bad config' ? 'moved' : 'health'}.html: fine}
`,
    'web.yaml': `${deployment('web', server)}      hostNetwork: true
      containers:
      - name: httpd
        image: ${image}
        imagePullPolicy: Never
        command: ${command ?? `[sh, -c, '${GOOD}']`}
        env: [{name: VERSION, value: "${version}"}]
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {httpGet: {path: ${fault === 'never ready' ? '/missing.html' : WEB_PATH}, port: http}, initialDelaySeconds: 1, periodSeconds: 1, timeoutSeconds: 2}
        volumeMounts: [{name: site, mountPath: /site}]
      volumes: [{name: site, configMap: {name: site}}]
`,
  }
}

/** Processes that are ready when a probe of theirs says so; those that crash have been ready before. */
export function probedProcesses(
  name: string,
  options: Pace & { readonly version: string; readonly mark: string; readonly does: 'serves' | 'crashes' },
): string {
  const { version, mark, does } = options
  const serves = 'trap "exit 0" TERM; while :; do sleep 0.2; done'
  return `${deployment(name, options)}      processes:
      - name: main
        command: [sh, -c, '${does === 'serves' ? serves : 'sleep 0.5; exit 1'}']
        env: [{name: SUITE, value: "${mark}"}, {name: VERSION, value: "${version}"}]
        readinessProbe: {exec: {command: ["true"]}, periodSeconds: 1}
`
}
