import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { type CertificateRow, getCertificate, listCertificates, revokeCertificate } from '#libs/store/certificates'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, type ById, idParameter, listOf, noBody, oneOf, request, route, string, time } from './schemas.ts'

const tag = 'Certificates'
const certificateSchema = answer(
  {
    id: string,
    purpose: oneOf('tenant_client', 'operator'),
    tenantId: string,
    commonName: string,
    serialNumber: string,
    fingerprint: string,
    certificate: { ...string, description: 'PEM.' },
    notBefore: time,
    notAfter: time,
    issuedBy: string,
    createdAt: time,
    revokedAt: time,
    revokedBy: string,
  },
  ['tenantId', 'revokedAt', 'revokedBy'],
)

export function certificateRoutes(app: FastifyInstance, { database, pages }: OperatorContext): void {
  const params = idParameter

  app.get<{ Querystring: PageQuery & { readonly tenantId?: string } }>(
    '/certificates',
    {
      schema: route(tag, 'List client certificates, newest first', listOf('certificates', certificateSchema), {
        querystring: request({ tenantId: { ...string, maxLength: 128 }, ...pageParameters }),
      }),
    },
    async (call) => {
      const { tenantId } = call.query
      const proof = authorize(claimsOf(call), 'certificate', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'certificates',
        { ...call.query },
        (before, limit) => listCertificates(database.all, proof, { tenantId, before, limit }),
        (row) => row.id,
      )
      return { certificates: items.map(certificateOf), nextPageToken }
    },
  )

  app.get<ById>(
    '/certificates/:id',
    { schema: route(tag, 'Get a client certificate', certificateSchema, { params }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'certificate', 'read', { certificateId: call.params.id })
      return certificateOf(await getCertificate(database.all, proof))
    },
  )

  app.post<ById>(
    '/certificates/:id/revoke',
    {
      schema: route(tag, 'Revoke: edges refuse it within seconds, this listener at once', certificateSchema, {
        params,
        body: noBody,
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'certificate', 'delete', { certificateId: call.params.id })
      return certificateOf(await revokeCertificate(database.all, proof))
    },
  )
}

function certificateOf(row: CertificateRow) {
  return {
    id: row.id,
    purpose: row.purpose,
    ...(row.tenant_id === null ? {} : { tenantId: row.tenant_id }),
    commonName: row.common_name,
    serialNumber: row.serial_number,
    fingerprint: row.fingerprint,
    certificate: row.certificate_pem,
    notBefore: row.not_before.toISOString(),
    notAfter: row.not_after.toISOString(),
    issuedBy: row.issued_by,
    createdAt: row.created_at.toISOString(),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at.toISOString() }),
    ...(row.revoked_by === null ? {} : { revokedBy: row.revoked_by }),
  }
}
