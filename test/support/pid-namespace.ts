/**
 * The words that run `command` in a pid namespace of its own, where a test can choose the next pid. A shell is its first
 * process, for somebody has to reap the orphans; with it everything in the namespace ends.
 */
export function inPidNamespace(command: readonly string[]): { program: string; args: string[] } {
  const namespace = ['--pid', '--fork', '--kill-child', '--mount-proc']
  return { program: 'unshare', args: [...namespace, 'sh', '-c', '"$@"; exit $?', 'sh', ...command] }
}
