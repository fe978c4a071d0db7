import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { issueOperatorCertificate } from '#libs/keyring'
import { getOperator, listOperatorCertificates } from '#libs/store/operators'
import { note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { certificateOf, certificateSchema } from './certificate-answer.ts'
import { changeOperators } from './change-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type ByName, nameParameter } from './operators.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, integer, listOf, request, route, string, time } from './schemas.ts'

const tag = 'Operators'
const defaultValidityDays = 90
const issuedSchema = answer(
  {
    id: string,
    certificate: { ...string, description: 'PEM.' },
    privateKey: {
      ...string,
      description: 'PEM; only when the request had no CSR. It is not kept: it is here or nowhere.',
    },
    fingerprint: { ...string, description: 'SHA-256 of the certificate, 64 lower-case hex digits.' },
    notAfter: time,
  },
  ['privateKey'],
)
const issueSchema = request({
  csr: {
    ...string,
    maxLength: 16_384,
    description: 'PEM; only its key is taken. Without one, a key is made here and handed out once.',
  },
  validityDays: { ...integer, minimum: 1, maximum: 365, description: '90 when not given.' },
})

interface IssueRequest {
  readonly csr?: string
  readonly validityDays?: number
}

/** Certificates of operators. They are revoked where all certificates are: `/certificates/:id/revoke`. */
export function operatorCertificateRoutes(
  app: FastifyInstance,
  { database, pages, sealer, clock }: OperatorContext,
): void {
  const params = nameParameter

  app.get<ByName & { Querystring: PageQuery }>(
    '/operators/:name/certificates',
    {
      schema: route(tag, 'List its certificates, newest first', listOf('certificates', certificateSchema), {
        params,
        querystring: request(pageParameters),
      }),
    },
    async (call) => {
      const operatorName = call.params.name
      const proof = authorize(claimsOf(call), 'operator', 'read', { operatorName })
      await getOperator(database.all, proof)
      const { items, nextPageToken } = await readPage(
        pages,
        'operator certificates',
        { ...call.query, operatorName },
        (before, limit) => listOperatorCertificates(database.all, proof, { before, limit }),
        (row) => row.id,
      )
      return { certificates: items.map(certificateOf), nextPageToken }
    },
  )

  app.post<ByName & { Body: IssueRequest }>(
    '/operators/:name/certificates',
    {
      schema: route(tag, 'Issue a certificate: an admin for everybody, and every operator for itself', issuedSchema, {
        params,
        body: issueSchema,
      }),
    },
    async (call, reply) => {
      const operatorName = call.params.name
      const { csr, validityDays = defaultValidityDays } = call.body
      const { row, certificatePem, keyPem } = await changeOperators(database, call, async (trx, claims) => {
        const proof = authorize(claims, 'operator', 'create_certificate', { operatorName })
        const { name } = await getOperator(trx, proof)
        const made = await issueOperatorCertificate(trx, sealer, {
          name,
          validityDays,
          ...(csr === undefined ? {} : { csrPem: csr }),
          issuedBy: proof.actor.id,
          now: clock.now(),
        })
        note(call, { certificateId: made.row.id, certificateFingerprint: made.row.fingerprint })
        return made
      })
      reply.header('cache-control', 'no-store')
      return {
        id: row.id,
        certificate: certificatePem,
        ...(keyPem === undefined ? {} : { privateKey: keyPem }),
        fingerprint: row.fingerprint,
        notAfter: row.not_after.toISOString(),
      }
    },
  )
}
