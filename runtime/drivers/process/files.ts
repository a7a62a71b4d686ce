import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import { nullOn } from '../../../src/lib/errors.ts'

export const readIfThere = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(nullOn('ENOENT', 'ENOTDIR'))

/** True for what lies below an absolute folder. */
export const isInside = (folder: string, path: string): boolean => path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

export const isAtOrInside = (folder: string, path: string): boolean => path === folder || isInside(folder, path)
