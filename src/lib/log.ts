/** Constant message, variable fields; the same key for the same thing everywhere. pino satisfies it. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

const nothing = () => undefined
export const silentLog: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
