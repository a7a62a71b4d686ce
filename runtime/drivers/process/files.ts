import { readFile } from 'node:fs/promises'
import { nullOn } from '../../../src/lib/errors.ts'

export const readIfThere = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(nullOn('ENOENT', 'ENOTDIR'))
