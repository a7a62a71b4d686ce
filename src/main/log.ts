import { destination, pino, stdTimeFunctions } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { Logger } from '../lib/log.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent']

/** JSON lines on stderr, pretty where a person reads; `DROVER_LOG` sets the level (default info). */
export function createLog(env: Readonly<Record<string, string | undefined>>): Logger {
  const level = LEVELS.includes(env.DROVER_LOG ?? '') ? env.DROVER_LOG : 'info'
  const options = {
    level: level ?? 'info',
    timestamp: stdTimeFunctions.isoTime,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  if (process.stderr.isTTY !== true) return pino(options, destination({ fd: 2, sync: true }))
  return pino(
    { level: options.level, base: null },
    PinoPretty({ destination: 2, sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'pid,hostname' }),
  )
}
