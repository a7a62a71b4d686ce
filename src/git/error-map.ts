import { messageOf } from '../lib/errors.ts'
import { GitError, type GitErrorCode } from './git-backend.ts'

/** Failures that isomorphic-git names; what is not here comes from our own clone being unreadable. */
const BY_CODE: Readonly<Record<string, GitErrorCode>> = {
  NotFoundError: 'MissingRef',
  SmartHttpError: 'Unsupported',
  ParseError: 'Unreachable',
  EmptyServerResponseError: 'Unreachable',
  RemoteCapabilityError: 'Unsupported',
  PushRejectedError: 'Rejected',
  GitPushError: 'Rejected',
}

const NETWORK = /^(?:UND_ERR_|ECONN|ENOTFOUND|EAI_|EHOST|ENET|EPIPE|ETIMEDOUT|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/
const SILENCE = /^UND_ERR_(?:HEADERS|BODY)_TIMEOUT$/
const DISK = /^(?:ENOSPC|EDQUOT|EROFS|EACCES|EPERM|EMFILE|ENFILE|EIO)$/

function statusOf(error: object): number | null {
  if (!('data' in error) || typeof error.data !== 'object' || error.data === null || !('statusCode' in error.data)) return null
  return Number(error.data.statusCode)
}

function fromStatus(status: number, cause: unknown): GitError {
  if (status === 401 || status === 403) return new GitError('AuthFailed', `the remote refuses access (HTTP ${status})`, { cause })
  if (status === 404) return new GitError('Unreachable', 'the remote knows no such repository, or hides it (HTTP 404)', { cause })
  return new GitError('Unreachable', `the remote answers HTTP ${status}`, { cause })
}

const OBJECT_ID = /^[0-9a-f]{40}$/

/** isomorphic-git has one error for a ref that the remote lacks and for an object that our own clone lacks. */
function isMissingObject(error: object): boolean {
  const data = 'data' in error && typeof error.data === 'object' && error.data !== null ? error.data : {}
  return 'what' in data && OBJECT_ID.test(String(data.what))
}

/** The error of an operation on a remote, in words that say what to do. A full disk is not hidden as a git error. */
export function toGitError(error: unknown): Error {
  if (error instanceof GitError) return error
  const inner = error instanceof Error && error.cause instanceof Error && !('code' in error) ? error.cause : error
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : ''
  if (inner instanceof Error && DISK.test(code)) return inner
  const status = typeof inner === 'object' && inner !== null ? statusOf(inner) : null
  if (code === 'HttpError' && status !== null) return fromStatus(status, error)
  if (code === 'NotFoundError' && isMissingObject(Object(inner))) return new GitError('Corrupt', messageOf(inner), { cause: error })
  if (SILENCE.test(code)) return new GitError('Timeout', 'the remote took the request and fell silent', { cause: error })
  if (NETWORK.test(code)) return new GitError('Unreachable', `the remote cannot be reached (${messageOf(inner)})`, { cause: error })
  return new GitError(BY_CODE[code] ?? 'Corrupt', messageOf(inner), { cause: error })
}
