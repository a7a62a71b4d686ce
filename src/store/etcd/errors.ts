import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCAlreadyExistsError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
} from 'etcd3'

const DEFINITE = [
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCAlreadyExistsError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  TypeError,
]

/** etcd refused the request and did nothing. After any other error it may have been applied. */
export const isDefinite = (error: unknown): boolean => DEFINITE.some((type) => error instanceof type)

/** The request was refused for want of space or of budget; the same request may pass later. */
export const isExhausted = (error: unknown): boolean => error instanceof GRPCResourceExhastedError

/** The revision asked for is compacted, or in the future. */
export const isOutOfHistory = (error: unknown): boolean => error instanceof GRPCOutOfRangeError

export const isLeaseGone = (error: unknown): boolean => error instanceof EtcdLeaseInvalidError || error instanceof GRPCNotFoundError
