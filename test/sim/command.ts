import type { Mode, Narrowing } from './scenario.ts'

/** One run as it is asked for on the command line. */
export interface Asked extends Narrowing {
  readonly seed: number
  readonly mode: Mode
  readonly bug?: string
}

/** What repeats a run, and nothing that is so anyway. */
export function commandOf({ seed, mode, bug, seconds, agents, controls, faults, operations }: Asked): string {
  const options: readonly [string, string | number | undefined][] = [
    ['seed', seed],
    ['mode', mode === 'safety' ? undefined : mode],
    ['bug', bug],
    ['seconds', seconds],
    ['agents', agents],
    ['controls', controls],
    ['faults', faults?.join(',')],
    ['operations', operations?.join(',')],
  ]
  const said = options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value === '' ? "''" : value}`]))
  return `npm run sim -- ${said.join(' ')}`
}
