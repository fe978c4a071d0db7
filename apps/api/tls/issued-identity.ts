import { type Clock, coerceError } from '#libs/base'
import { issueServingCertificate } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { Logger } from '#libs/telemetry'
import { ServerIdentity } from './server-identity.ts'

export interface IssuedIdentityDeps {
  /** As a role that may read certificate authorities: aqueduct_operator. */
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  readonly logger: Logger
  /** DNS names and IP addresses that clients use. */
  readonly names: readonly string[]
}

const lookEveryMs = 3_600_000

/** A certificate of the installation's own CA, new at every start and renewed in time. */
export async function issuedIdentity(
  deps: IssuedIdentityDeps,
): Promise<{ readonly identity: ServerIdentity; stop(): void }> {
  const { database, sealer, clock, logger, names } = deps
  const issue = async () => {
    const { certificatePem, keyPem, renewAt } = await issueServingCertificate(database.all, sealer, names)
    return { certificateChain: certificatePem, key: keyPem, renewAt }
  }
  let current = await issue()
  const identity = new ServerIdentity(current)
  const look = async () => {
    if (clock.now() < current.renewAt) return
    current = await issue()
    identity.replace(current)
    logger.info('the server certificate was renewed')
  }
  const timer = setInterval(() => {
    look().catch((thrown: unknown) =>
      logger.error({ err: coerceError(thrown) }, 'the server certificate was not renewed'),
    )
  }, lookEveryMs)
  timer.unref()
  return { identity, stop: () => clearInterval(timer) }
}
