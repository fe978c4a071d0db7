import { isIP } from 'node:net'
import { issueCertificate } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Executor } from '#libs/store'
import { openAuthority } from './authorities.ts'

/** Days. A process issues itself a new one when a third is left, and at every start. */
const validityDays = 30

export interface ServingCertificate {
  readonly certificatePem: string
  readonly keyPem: string
  /** When to issue the next one. */
  readonly renewAt: Date
}

/** A server certificate of the installation's own CA for one process; its key stays in that process. */
export async function issueServingCertificate(
  executor: Executor,
  sealer: Sealer,
  /** DNS names and IP addresses that clients use. */
  names: readonly string[],
): Promise<ServingCertificate> {
  const issuer = await openAuthority(executor, sealer, { purpose: 'server' })
  const { certificatePem, keyPem, notBefore, notAfter } = await issueCertificate({
    issuer,
    subject: { commonName: (names[0] ?? 'aqueduct').slice(0, 64) },
    usage: 'server',
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0),
    validityDays,
  })
  const renewAt = new Date(notAfter.getTime() - (notAfter.getTime() - notBefore.getTime()) / 3)
  return { certificatePem, keyPem, renewAt }
}
