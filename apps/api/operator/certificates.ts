import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { getCertificate, listCertificates, revokeCertificate } from '#libs/store/certificates'
import { revokeOperatorCertificate } from '#libs/store/operators'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { certificateOf, certificateSchema } from './certificate-answer.ts'
import { changeOperators } from './change-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { type ById, idParameter, listOf, noBody, request, route, string } from './schemas.ts'

const tag = 'Certificates'
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
      const { operator_name: operatorName } = await getCertificate(database.all, proof)
      if (operatorName === null) {
        const revoked = await database.all.transaction().execute(async (trx) => {
          const row = await revokeCertificate(trx, proof)
          await audited(trx, call)
          return row
        })
        return certificateOf(revoked)
      }
      note(call, { operatorName })
      return changeOperators(database, call, async (trx, claims) => {
        const ofOperator = authorize(claims, 'operator', 'update', { operatorName })
        return certificateOf(await revokeOperatorCertificate(trx, ofOperator, call.params.id))
      })
    },
  )
}
