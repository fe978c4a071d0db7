import { newId } from '#libs/base'
import { issueCertificate } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Executor } from '#libs/store'
import { recordCertificate } from '#libs/store/certificates'
import { openAuthority } from './authorities.ts'

/** Days. */
const validityDays = 365

/** A client certificate that makes its holder the operator of that name. The key is returned, and kept nowhere. */
export async function issueOperatorCertificate(
  executor: Executor,
  sealer: Sealer,
  name: string,
  issuedBy: string,
): Promise<{ readonly certificatePem: string; readonly keyPem: string }> {
  const issuer = await openAuthority(executor, sealer, { purpose: 'operator' })
  const issued = await issueCertificate({
    issuer,
    subject: { commonName: name },
    usage: 'client',
    uris: [`aqueduct://operators/${name}`],
    validityDays,
  })
  await recordCertificate(executor, {
    id: newId('cert'),
    authorityId: issuer.id,
    purpose: 'operator',
    commonName: name,
    issued,
    issuedBy,
  })
  return issued
}
