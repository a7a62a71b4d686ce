export type TrustErrorCode = 'BadToken' | 'BadRequest' | 'NotTrusted'

/** Somebody cannot be believed; the message says why and how to mend it, and holds no secret. */
export class TrustError extends Error {
  override name = 'TrustError'
  readonly code: TrustErrorCode
  constructor(code: TrustErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
