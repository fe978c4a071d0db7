import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import { ServerIdentity } from './server-identity.ts'

export interface IdentityFiles {
  readonly certificateFile: string
  readonly keyFile: string
  readonly logger: Logger
  /** Milliseconds between two looks. Looking, unlike being told, works on every file system and through symbolic links. */
  readonly everyMs?: number
}

/**
 * The operator's own certificate, read again whenever one of the files changes. A pair that does not fit (the tool that
 * renews has written one file of two) is left until it does.
 * @throws Error when the files cannot be read now, or do not fit.
 */
export function identityFromFiles(files: IdentityFiles): { readonly identity: ServerIdentity; stop(): void } {
  const { certificateFile, keyFile, logger, everyMs = 5000 } = files
  const read = () => ({
    certificateChain: readFileSync(certificateFile, 'utf8'),
    key: readFileSync(keyFile, 'utf8'),
  })
  const identity = new ServerIdentity(read())
  const renew = () => {
    try {
      identity.replace(read())
      logger.info({ certificateFile }, 'the server certificate was replaced')
    } catch (thrown) {
      logger.warn(
        { err: coerceError(thrown), certificateFile, keyFile },
        'the new server certificate is not usable yet',
      )
    }
  }
  for (const file of [certificateFile, keyFile]) watchFile(file, { interval: everyMs, persistent: false }, renew)
  return {
    identity,
    stop: () => {
      for (const file of [certificateFile, keyFile]) unwatchFile(file, renew)
    },
  }
}
