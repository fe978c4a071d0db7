import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { newId, notFound } from '#libs/base'
import type { IssuedCertificate } from '#libs/pki'
import type { Executor } from '../database.ts'
import type { CertificateAuthoritiesTable, CertificatesTable } from './table.ts'

export type CertificateRow = Selectable<CertificatesTable>
export type CertificateAuthorityRow = Selectable<CertificateAuthoritiesTable>

/** Whose authority: one of the installation's own, one cell's or one tenant's. */
export type AuthorityOwner =
  | { readonly purpose: 'server' | 'operator' | 'node' }
  | { readonly purpose: 'cell'; readonly cellId: string }
  | { readonly purpose: 'tenant'; readonly tenantId: string }

export interface NewAuthority {
  readonly certificatePem: string
  /** Sealed for the place `certificate_authorities/<id>`, the id being the first argument of `make`. */
  readonly keySealed: string
  readonly notAfter: Date
  readonly issuerId: string | undefined
}

/** Finds the owner's authority, or makes it: of two that make it at once, both get the first. */
export async function ensureAuthority(
  executor: Executor,
  owner: AuthorityOwner,
  make: (id: string) => Promise<NewAuthority>,
): Promise<CertificateAuthorityRow> {
  const found = await findAuthority(executor, owner)
  if (found !== undefined) return found
  const id = newId('ca')
  const made = await make(id)
  await executor
    .insertInto('certificate_authorities')
    .values({
      id,
      purpose: owner.purpose,
      tenant_id: owner.purpose === 'tenant' ? owner.tenantId : null,
      cell_id: owner.purpose === 'cell' ? owner.cellId : null,
      issuer_id: made.issuerId ?? null,
      certificate_pem: made.certificatePem,
      key_sealed: made.keySealed,
      not_after: made.notAfter,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await findAuthority(executor, owner)
  if (row === undefined) throw new Error(`certificate authority ${owner.purpose} vanished while it was made`)
  return row
}

async function findAuthority(executor: Executor, owner: AuthorityOwner): Promise<CertificateAuthorityRow | undefined> {
  return executor
    .selectFrom('certificate_authorities')
    .selectAll()
    .where('purpose', '=', owner.purpose)
    .where('tenant_id', 'is not distinct from', owner.purpose === 'tenant' ? owner.tenantId : null)
    .where('cell_id', 'is not distinct from', owner.purpose === 'cell' ? owner.cellId : null)
    .executeTakeFirst()
}

/** A certificate that one of our authorities signed, and whom it is for. */
export interface NewCertificate {
  /** Chosen by who issues it: a key is sealed for the place `certificates/<id>`. */
  readonly id: string
  readonly authorityId: string
  readonly purpose: CertificateRow['purpose']
  readonly tenantId?: string
  readonly namespaceId?: string
  readonly nodeId?: string
  /** Whom a certificate of the purpose `operator` is for: without it, it is nobody's. */
  readonly operatorName?: string
  readonly commonName: string
  readonly issued: IssuedCertificate
  /** Only of those that we serve with ourselves. */
  readonly keySealed?: string
  /** The operator's name, or the part of the product. */
  readonly issuedBy: string
}

export async function recordCertificate(executor: Executor, certificate: NewCertificate): Promise<CertificateRow> {
  const { issued } = certificate
  return executor
    .insertInto('certificates')
    .values({
      id: certificate.id,
      authority_id: certificate.authorityId,
      purpose: certificate.purpose,
      tenant_id: certificate.tenantId ?? null,
      namespace_id: certificate.namespaceId ?? null,
      node_id: certificate.nodeId ?? null,
      operator_name: certificate.operatorName ?? null,
      common_name: certificate.commonName,
      serial_number: issued.serialNumber,
      fingerprint: issued.fingerprintSha256,
      certificate_pem: issued.certificatePem,
      key_sealed: certificate.keySealed ?? null,
      not_before: issued.notBefore,
      not_after: issued.notAfter,
      issued_by: certificate.issuedBy,
      revoked_at: null,
      revoked_by: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Newest first; of one tenant, or of all. `before` is the id of the last one of the page before. */
export async function listCertificates(
  executor: Executor,
  _proof: Authorized<'certificate', 'list'>,
  page: { readonly tenantId: string | undefined; readonly before: string | undefined; readonly limit: number },
): Promise<readonly CertificateRow[]> {
  let query = executor
    .selectFrom('certificates')
    .selectAll()
    .where('purpose', 'in', ['tenant_client', 'operator'])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.tenantId !== undefined) query = query.where('tenant_id', '=', page.tenantId)
  if (page.before !== undefined) {
    // Looked up here: a Date has milliseconds, and would skip what was made in the same one.
    query = query.where(
      sql<boolean>`(created_at, id) < (select c.created_at, c.id from certificates c where c.id = ${page.before})`,
    )
  }
  return query.execute()
}

/** @throws AppError `not_found` */
export async function getCertificate(
  executor: Executor,
  proof: Authorized<'certificate', 'read'> | Authorized<'certificate', 'delete'>,
): Promise<CertificateRow> {
  const { certificateId } = proof.target
  const row = await executor
    .selectFrom('certificates')
    .selectAll()
    .where('id', '=', certificateId)
    .where('purpose', 'in', ['tenant_client', 'operator'])
    .executeTakeFirst()
  if (row === undefined) throw notFound('certificate', certificateId)
  return row
}

/**
 * A tenant's; operators' are `revokeOperatorCertificate`'s. Edges refuse the leaf within seconds. Saying it twice changes
 * nothing.
 * @throws AppError `not_found`
 */
export async function revokeCertificate(
  executor: Executor,
  proof: Authorized<'certificate', 'delete'>,
): Promise<CertificateRow> {
  const row = await executor
    .updateTable('certificates')
    .set({ revoked_at: new Date(), revoked_by: proof.actor.id })
    .where('id', '=', proof.target.certificateId)
    .where('purpose', '=', 'tenant_client')
    .where('revoked_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  const present = await getCertificate(executor, proof)
  if (present.purpose !== 'tenant_client') throw notFound('certificate', present.id)
  return present
}

/** The newest certificate that we serve with: a namespace's at the edge, or a node's. */
export async function findServingCertificate(
  executor: Executor,
  subject: { readonly namespaceId: string } | { readonly nodeId: string },
): Promise<CertificateRow | undefined> {
  let query = executor.selectFrom('certificates').selectAll().orderBy('not_after', 'desc').limit(1)
  query =
    'namespaceId' in subject
      ? query.where('purpose', '=', 'edge_server').where('namespace_id', '=', subject.namespaceId)
      : query.where('purpose', '=', 'node').where('node_id', '=', subject.nodeId)
  return query.executeTakeFirst()
}
