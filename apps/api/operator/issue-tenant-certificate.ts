import type { Authorized } from '#libs/authz'
import { AppError, invalid, newId } from '#libs/base'
import { openAuthority } from '#libs/keyring'
import { describeCertificate, type IssuedCertificate, issueCertificate, issueFromCsr } from '#libs/pki'
import type { Trx } from '#libs/store'
import { type CertificateRow, recordCertificate } from '#libs/store/certificates'
import { getTenant } from '#libs/store/tenants'
import type { OperatorContext } from './operator-context.ts'

export interface TenantCertificateRequest {
  /** PEM; without one, a key is made here. */
  readonly csr?: string
  readonly commonName: string
  readonly organization?: string
  readonly organizationalUnit?: string
  readonly validityDays?: number
}

export interface TenantCertificate {
  readonly id: string
  readonly certificate: string
  /** Only when it was made here; it exists in this answer alone. */
  readonly privateKey?: string
  readonly caCertificate: string
  readonly fingerprint: string
  readonly notAfter: string
}

const defaultValidityDays = 90

/**
 * A client certificate from the tenant's managed CA. Name and lifetime are the operator's to say; of a CSR only the key
 * is taken.
 * @param written told in the transaction that keeps the certificate.
 * @throws AppError `not_found`; `invalid` naming the field.
 */
export async function issueTenantCertificate(
  { database, sealer, clock }: OperatorContext,
  proof: Authorized<'tenant', 'create_certificate'>,
  asked: TenantCertificateRequest,
  written: (trx: Trx, row: CertificateRow) => Promise<void>,
): Promise<TenantCertificate> {
  const { id: tenantId } = await getTenant(database.all, proof)
  const authority = await openAuthority(database.all, sealer, { purpose: 'tenant', tenantId })
  const { csr, commonName, organization, organizationalUnit } = asked
  const profile = {
    issuer: authority,
    subject: {
      commonName,
      ...(organization === undefined ? {} : { organization }),
      ...(organizationalUnit === undefined ? {} : { organizationalUnit }),
    },
    usage: 'client',
    validityDays: asked.validityDays ?? defaultValidityDays,
    now: clock.now(),
  } as const
  const issued: IssuedCertificate & { readonly keyPem?: string } = await inOurFields(() =>
    csr === undefined ? issueCertificate(profile) : issueFromCsr({ ...profile, csrPem: csr }),
  )
  const wanted = {
    id: newId('cert'),
    authorityId: authority.id,
    purpose: 'tenant_client',
    tenantId,
    commonName: describeCertificate(issued.certificatePem).commonName,
    issued,
    issuedBy: proof.actor.id,
  } as const
  const row = await database.all.transaction().execute(async (trx) => {
    const recorded = await recordCertificate(trx, wanted)
    await written(trx, recorded)
    return recorded
  })
  return {
    id: row.id,
    certificate: row.certificate_pem,
    ...(issued.keyPem === undefined ? {} : { privateKey: issued.keyPem }),
    caCertificate: authority.certificatePem,
    fingerprint: row.fingerprint,
    notAfter: row.not_after.toISOString(),
  }
}

/** The request is flat: `subject.commonName` of the library is `commonName` here. */
async function inOurFields<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.problems.length === 0) throw thrown
    throw invalid(thrown.problems.map(({ field, message }) => ({ field: field.replace(/^subject\./, ''), message })))
  }
}
