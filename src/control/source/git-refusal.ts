import { GitError, type GitErrorCode } from '../../git/git-backend.ts'
import { RequestError, type RequestErrorCode } from '../requests/control-plane.ts'

const REFUSAL_OF: Readonly<Partial<Record<GitErrorCode, RequestErrorCode>>> = {
  MissingRef: 'NotFound',
  MissingPath: 'NotFound',
  AmbiguousRef: 'Conflict',
  Rejected: 'Conflict',
}

/** What git said, as the answer to who asked: it is no failure of the control plane. @throws RequestError for every GitError. */
export async function refuseByGit<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new RequestError(REFUSAL_OF[error.code] ?? 'Unavailable', `git: ${error.message}`)
  }
}
