import { type Logger, pino } from 'pino'

export type { Logger }

/** Keys whose values never reach a log, at whatever depth the logger finds them in a record of ours. */
const secretPaths = ['token', 'secret', 'password', 'privateKey', 'authorization', 'cookie'].flatMap((key) => [
  key,
  `*.${key}`,
])

/** One JSON line an event on standard output; `service` names the process. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: secretPaths, censor: '[redacted]' },
  })
}
