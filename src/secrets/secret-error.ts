export type SecretErrorCode = 'NoIdentity' | 'WrongIdentity' | 'Tampered' | 'NotAge' | 'Malformed'

/**
 * What is wrong with a secret, and how to mend it. The message names keys, files and recipients, never a value or an
 * identity; for the same reason errors of libraries are never kept as its `cause`: some of them quote what they read.
 */
export class SecretError extends Error {
  override name = 'SecretError'
  readonly code: SecretErrorCode
  constructor(code: SecretErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
