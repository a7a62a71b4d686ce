import { TASK_OOM_SCORE_ADJ } from '../../oom.ts'
import { TICKS_PER_SECOND } from './proc.ts'
import { quote } from './quote.ts'

/** What the shim of one attempt is to do. */
export interface ShimPlan {
  readonly dir: string
  readonly stdout: string
  readonly stderr: string
  /** Absolute or relative to nothing: the program's working directory. */
  readonly cwd: string
  /** `cgroup.procs` files the task writes itself into. */
  readonly joins: readonly string[]
  /** Words before the command: its limits, its sandbox, its user. */
  readonly wrapper: readonly string[]
  /** Variables for the command, which reads them from descriptor 3; null: it has them already. */
  readonly secrets: string | null
  /** With its environment. */
  readonly command: readonly string[]
}

const words = (all: readonly string[]): string => all.map(quote).join(' ')

/**
 * The shim: a POSIX shell script in which every value is quoted data.
 * It claims the attempt, puts the task into its cgroups, writes pid and start time, and at last the
 * exit code over blanks that are on the disk already, so a full disk or a lack of pids cannot lose it. With the time:
 * until then the number of its session was its own.
 * `trap :` is a handler, which the task's own shell resets to default; an ignored signal would be inherited.
 * The shim stays out of the task's cgroups, so it outlives the kill or the OOM of the task.
 */
export function shimScript(plan: ShimPlan): string {
  const joins = plan.joins.map((path) => `  echo 0 > ${quote(path)} || exit 126\n`).join('')
  const secrets = plan.secrets === null ? '' : `  exec 3< ${quote(plan.secrets)} || exit 126\n  rm -f ${quote(plan.secrets)}\n`
  return `umask 077
cd ${quote(plan.dir)} || exit 125
read -r l < /proc/self/stat
sp=\${l%% *}
set -- \${l##*) }
ss=\${20}
read -r b < /proc/sys/kernel/random/boot_id
set -C
echo "shim $sp $ss $b" > claim || exit 125
set +C
trap : TERM INT HUP QUIT
(
  exec < /dev/null >> ${quote(plan.stdout)} 2>> ${quote(plan.stderr)} || exit 126
${joins}  echo ${TASK_OOM_SCORE_ADJ} 2> /dev/null > /proc/self/oom_score_adj
  cd ${quote(plan.cwd)} || exit 126
  read -r l < /proc/self/stat
  set -- "\${l%% *}" \${l##*) }
  echo "$1 \${21} $b $sp $ss" > ${quote(`${plan.dir}/pid`)} || exit 126
  umask 022
${secrets}  exec ${words([...plan.wrapper, ...plan.command])}
)
r=$?
read -r u i < /proc/uptime
printf '%-3s %-20s\\n' "$r" "$u" 1<> exit
exec sync exit .
`
}

/** Blanks for the shim to write over, as many as it writes. */
export const EXIT_BLANKS = `${' '.repeat(24)}\n`

export interface LastWord {
  readonly exitCode: number
  /** When the shim said so, ticks since boot; null when it could not tell. */
  readonly at: number | null
}

/** Null while the shim has not written it. */
export function parseExit(text: string | null): LastWord | null {
  const [, code, uptime] = /^(\d{1,3})(?: +(\d+\.\d+))? *\n/.exec(text ?? '') ?? []
  if (code === undefined) return null
  return { exitCode: Number(code), at: uptime === undefined ? null : Math.round(Number(uptime) * TICKS_PER_SECOND) }
}
