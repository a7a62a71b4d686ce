import { isAbsolute, join, relative, resolve } from 'node:path'
import { isAtOrInside } from './files.ts'

/** A file or folder of the machine, and where a task sees it. */
export interface Mount {
  readonly source: string
  readonly target: string
  readonly access: 'read' | 'write'
}

/** What a task sees of the machine. */
export interface View {
  readonly mounts: readonly Mount[]
  /** What lies in a mount and is covered: nobody sees it. */
  readonly hidden: readonly Pick<Mount, 'source' | 'target'>[]
  /** For messages about what is not there; empty where all of the machine is seen. */
  readonly note: string
}

/** What a task outside a sandbox sees. */
export const WHOLE_MACHINE: View = { mounts: [{ source: '/', target: '/', access: 'write' }], hidden: [], note: '' }

/** Where a path of the task is on the machine; null for what the task does not see. */
export function machinePath({ mounts, hidden }: View, path: string): string | null {
  const asked = resolve('/', path)
  if (hidden.some(({ target }) => isAtOrInside(target, asked))) return null
  const over = mounts.filter(({ target }) => isAtOrInside(target, asked))
  const nearest = over.reduce<Mount | null>((best, mount) => (mount.target.length >= (best?.target.length ?? 0) ? mount : best), null)
  return nearest === null ? null : join(nearest.source, relative(nearest.target, asked))
}

/** Whether a path of the machine, free of links, is seen at all. */
export const shows = ({ mounts, hidden }: View, real: string): boolean =>
  isAbsolute(real) && mounts.some(({ source }) => isAtOrInside(source, real)) && !hidden.some(({ source }) => isAtOrInside(source, real))
