import { newId } from '#libs/base'
import { describeCertificate, type IssuedCertificate, issueCertificate, issueFromCsr } from '#libs/pki'
import type { Sealer } from '#libs/sealing'
import type { Executor, Trx } from '#libs/store'
import { appendAuditEntry } from '#libs/store/audit'
import { type CertificateRow, recordCertificate } from '#libs/store/certificates'
import { createFirstOperator, recoverOperator } from '#libs/store/operators'
import { openAuthority } from './authorities.ts'

/** Days that a certificate is good which an operator did not ask for over the API: of the first operator, and after a recovery. */
const ownValidityDays = 365

export interface OperatorCertificateRequest {
  /** Of an operator that is there. */
  readonly name: string
  readonly validityDays: number
  /** PEM; only its key is taken. Without one, a key is made here. */
  readonly csrPem?: string
  /** The operator's name, or the part of the product. */
  readonly issuedBy: string
  readonly now?: Date
}

/** What its holder gets: the only place where a key that was made here exists. */
export interface OperatorCertificate {
  readonly row: CertificateRow
  readonly certificatePem: string
  readonly keyPem?: string
}

/**
 * A client certificate that makes its holder the operator of that name. It says nothing of a role: that stands in the
 * operator's row.
 * @throws AppError `invalid` on `csr` or `validityDays`.
 */
export async function issueOperatorCertificate(
  executor: Executor,
  sealer: Sealer,
  { name, validityDays, csrPem, issuedBy, now = new Date() }: OperatorCertificateRequest,
): Promise<OperatorCertificate> {
  const issuer = await openAuthority(executor, sealer, { purpose: 'operator' })
  const profile = {
    issuer,
    subject: { commonName: name },
    usage: 'client',
    uris: [`aqueduct://operators/${name}`],
    validityDays,
    now,
  } as const
  const issued: IssuedCertificate & { readonly keyPem?: string } =
    csrPem === undefined ? await issueCertificate(profile) : await issueFromCsr({ ...profile, csrPem })
  const row = await recordCertificate(executor, {
    id: newId('cert'),
    authorityId: issuer.id,
    purpose: 'operator',
    operatorName: name,
    commonName: describeCertificate(issued.certificatePem).commonName,
    issued,
    issuedBy,
  })
  const { certificatePem, keyPem } = issued
  return { row, certificatePem, ...(keyPem === undefined ? {} : { keyPem }) }
}

/**
 * The one-time way in: the first operator, an admin, and its certificate. It ends itself: once there was an operator, it
 * answers undefined for ever. Hand the key out before the transaction commits, or nobody has it.
 */
export async function bootstrapOperator(
  trx: Trx,
  sealer: Sealer,
  name: string,
): Promise<OperatorCertificate | undefined> {
  const operator = await createFirstOperator(trx, name)
  if (operator === undefined) return undefined
  return issueOwn(trx, sealer, name, operator.created_by)
}

/**
 * The way back in when no admin has a certificate any more: makes the operator an admin, and issues it one. Whoever can
 * call it has the database and the master key, and could do it by hand.
 * @throws AppError `precondition` for a name that was deleted.
 */
export async function recoverAdmin(trx: Trx, sealer: Sealer, name: string): Promise<OperatorCertificate> {
  await recoverOperator(trx, name)
  return issueOwn(trx, sealer, name, 'recovery')
}

/** Nobody called, so nobody else writes it down. */
async function issueOwn(trx: Trx, sealer: Sealer, name: string, issuedBy: string): Promise<OperatorCertificate> {
  const issued = await issueOperatorCertificate(trx, sealer, { name, validityDays: ownValidityDays, issuedBy })
  await appendAuditEntry(trx, {
    interface: 'launcher',
    operation: `operator ${issuedBy}`,
    principal: { type: 'system', id: issuedBy },
    sourceAddress: '',
    target: { operatorName: name, certificateId: issued.row.id },
    outcome: 'OK',
    requestId: '',
  })
  return issued
}
