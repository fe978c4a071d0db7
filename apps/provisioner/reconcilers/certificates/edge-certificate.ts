import { type Clock, newId } from '#libs/base'
import { openAuthority } from '#libs/keyring'
import { issueCertificate } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { findServingCertificate, recordCertificate } from '#libs/store/certificates'
import { needsRenewal } from './needs-renewal.ts'

/** Days; renewed when a third is left. */
const validityDays = 90

export interface CertificateDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  /** Host names are `<namespace id>.<domain>`. */
  readonly domain: string
}

/**
 * The server certificate that the edge shows for one namespace: issued when there is none, or when little of it is
 * left. The edge is told by a trigger on the new row.
 * @returns whether one was issued.
 */
export async function ensureEdgeCertificate(
  deps: CertificateDeps,
  tenantId: string,
  namespaceId: string,
): Promise<boolean> {
  const { all } = deps.database
  const present = await findServingCertificate(all, { namespaceId })
  if (present !== undefined && !needsRenewal(present, deps.clock.now())) return false
  const authority = await openAuthority(all, deps.sealer, { purpose: 'server' })
  const hostname = `${namespaceId}.${deps.domain}`
  const issued = await issueCertificate({
    issuer: authority,
    // A common name holds 64 characters at most; host names are longer, and belong into the SAN anyway.
    subject: { commonName: namespaceId.slice(0, 64) },
    usage: 'server',
    dnsNames: [hostname],
    validityDays,
  })
  const id = newId('cert')
  await recordCertificate(all, {
    id,
    authorityId: authority.id,
    purpose: 'edge_server',
    tenantId,
    namespaceId,
    commonName: namespaceId,
    issued,
    keySealed: deps.sealer.seal(issued.keyPem, `certificates/${id}`),
    issuedBy: 'provisioner',
  })
  return true
}
