import { readFileSync } from 'node:fs'

/** Batch work whose every attempt follows from its slot, and which writes down what it does; Drover never reads that. */
export interface ShortTasks {
  readonly name: string
  readonly completions: number
  readonly parallelism: number
  readonly isolation: 'none' | 'cgroup'
  /** A file; each line is one `write`. */
  readonly ledger: string
  /** In the environment of each process as `SUITE`. */
  readonly mark: string
}

/** 50 ms to 2 s; some leave a process behind that left the session; some fail once, and a few twice. */
const SCRIPT = `
s=$DROVER_SLOT a=$DROVER_ATTEMPT
read -r now idle < /proc/uptime
echo "start $DROVER_TASK $a $s $HOME $now" >> "$LEDGER"
[ $((s % 20)) != 7 ] || (setsid sleep 1000 &)
sleep $((50 + s * 37 % 40 * 50))e-3
fails=0
[ $((s % 3)) != 2 ] || fails=1
[ $((s % 25)) != 24 ] || fails=2
code=0
[ "$a" -gt "$fails" ] || code=$((1 + s % 100))
read -r now idle < /proc/uptime
echo "end $DROVER_TASK $a $s $HOME $now $code" >> "$LEDGER"
exit $code`

/** How often the task of a slot fails, if none of its attempts was given up before it started. */
const failsOf = (slot: number): number => (slot % 25 === 24 ? 2 : slot % 3 === 2 ? 1 : 0)

/** The exit code of an attempt, by the same rule as in the script. */
export const exitCodeOf = (slot: number, attempt: number): number => (attempt <= failsOf(slot) ? 1 + (slot % 100) : 0)

export function shortTasks({ name, completions, parallelism, isolation, ledger, mark }: ShortTasks): string {
  return `apiVersion: drover.dev/v1
kind: Job
metadata: {name: ${name}}
spec:
  completions: ${completions}
  parallelism: ${parallelism}
  backoffLimit: 1000
  template:
    spec:
      restartPolicy: OnFailure
      placement: {nodeSelector: {fleet: "yes"}}
      processes:
      - name: main
        isolation: ${isolation}
        command: [sh, -c, ${JSON.stringify(SCRIPT)}]
        env: [{name: SUITE, value: "${mark}"}, {name: LEDGER, value: "${ledger}"}]
`
}

export interface LedgerEntry {
  readonly task: string
  readonly attempt: number
  readonly slot: number
  /** Its home is in the state directory of its agent. */
  readonly home: string
  /** How often it was started. */
  readonly starts: number
  /** Seconds since boot. */
  readonly startedAt: number
  readonly endedAt: number | null
  readonly exitCode: number | null
}

/** What the tasks wrote, an entry for each attempt. */
export function readLedger(file: string): LedgerEntry[] {
  const entries = new Map<string, LedgerEntry>()
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const [event, task = '', attempt, slot, home = '', at, code] = line.split(' ')
    const key = `${task} ${attempt}`
    const who = { task, attempt: Number(attempt), slot: Number(slot), home }
    const before = entries.get(key) ?? { ...who, starts: 0, startedAt: Number(at), endedAt: null, exitCode: null }
    if (event === 'start') entries.set(key, { ...before, starts: before.starts + 1 })
    else entries.set(key, { ...before, endedAt: Number(at), exitCode: Number(code) })
  }
  return [...entries.values()]
}
