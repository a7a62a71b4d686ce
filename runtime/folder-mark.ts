import { createHash } from 'node:crypto'

/** Eight hex digits that tell a state directory's things apart from those of another on the same machine. */
export const folderMark = (stateDir: string): string => createHash('sha256').update(stateDir).digest('hex').slice(0, 8)
