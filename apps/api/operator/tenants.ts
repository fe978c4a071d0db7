import type { FastifyInstance, FastifyRequest } from 'fastify'
import { authorize } from '#libs/authz'
import { invalid } from '#libs/base'
import { validateSuspension } from '#libs/domain/tenants'
import { openAuthority } from '#libs/keyring'
import { describeCertificate } from '#libs/pki'
import type { Trx } from '#libs/store'
import { getTenant, listTenants, setTenantState, type TenantRow } from '#libs/store/tenants'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { issueTenantCertificate, type TenantCertificateRequest } from './issue-tenant-certificate.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import {
  answer,
  type ById,
  idParameter,
  integer,
  listOf,
  noBody,
  oneOf,
  request,
  route,
  string,
  time,
} from './schemas.ts'
import { limitsOf, limitsSchema } from './tenant-limits.ts'

const tag = 'Tenants'
const tenantSchema = answer({
  id: string,
  name: string,
  state: oneOf('active', 'suspended'),
  stateReason: string,
  limits: limitsSchema,
  createdAt: time,
  updatedAt: time,
})
const caSchema = answer({ tenantId: string, certificate: string, fingerprint: string, notAfter: time })
const issuedSchema = answer(
  {
    id: string,
    certificate: { ...string, description: 'PEM.' },
    privateKey: {
      ...string,
      description: 'PEM; only when the request had no CSR. It is not kept: it is here or nowhere.',
    },
    caCertificate: { ...string, description: 'PEM: what a namespace has to trust.' },
    fingerprint: { ...string, description: 'SHA-256 of the certificate, 64 lower-case hex digits.' },
    notAfter: time,
  },
  ['privateKey'],
)
const issueSchema = request(
  {
    csr: { ...string, maxLength: 16_384, description: 'PEM. Without one, a key is made here and handed out once.' },
    commonName: { ...string, maxLength: 64 },
    organization: { ...string, maxLength: 64 },
    organizationalUnit: { ...string, maxLength: 64 },
    validityDays: { ...integer, minimum: 1, maximum: 825, description: '90 when not given.' },
  },
  ['commonName'],
)

export function tenantRoutes(app: FastifyInstance, context: OperatorContext): void {
  const { database, sealer, pages } = context
  const params = idParameter
  const change = (call: FastifyRequest, work: (trx: Trx) => Promise<TenantRow>) =>
    database.all.transaction().execute(async (trx) => {
      const row = await work(trx)
      await audited(trx, call)
      return row
    })

  app.get<{ Querystring: PageQuery }>(
    '/tenants',
    { schema: route(tag, 'List tenants', listOf('tenants', tenantSchema), { querystring: request(pageParameters) }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'tenants',
        { ...call.query },
        (after, limit) => listTenants(database.all, proof, { after: after ?? '', limit }),
        (row) => row.id,
      )
      return { tenants: items.map(tenantOf), nextPageToken }
    },
  )

  app.get<ById>('/tenants/:id', { schema: route(tag, 'Get a tenant', tenantSchema, { params }) }, async (call) =>
    tenantOf(await getTenant(database.all, authorize(claimsOf(call), 'tenant', 'read', { tenantId: call.params.id }))),
  )

  app.post<ById & { Body: { readonly reason: string } }>(
    '/tenants/:id/suspend',
    {
      schema: route(tag, 'Refuse all its calls within seconds, and keep everything it has', tenantSchema, {
        params,
        body: request({ reason: { ...string, maxLength: 256, description: 'The tenant reads it.' } }, ['reason']),
      }),
    },
    async (call) => {
      const { reason } = call.body
      const proof = authorize(claimsOf(call), 'tenant', 'update', { tenantId: call.params.id })
      const problems = validateSuspension(reason)
      if (problems.length > 0) throw invalid(problems)
      note(call, { reason })
      return tenantOf(await change(call, (trx) => setTenantState(trx, proof, 'suspended', reason)))
    },
  )

  app.post<ById>(
    '/tenants/:id/resume',
    { schema: route(tag, 'Take its calls again', tenantSchema, { params, body: noBody }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'update', { tenantId: call.params.id })
      return tenantOf(await change(call, (trx) => setTenantState(trx, proof, 'active', '')))
    },
  )

  app.get<ById>(
    '/tenants/:id/ca',
    { schema: route(tag, 'Get the CA that we manage for it; made at the first call', caSchema, { params }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'create_certificate', { tenantId: call.params.id })
      const { id: tenantId } = await getTenant(database.all, proof)
      const { certificatePem } = await openAuthority(database.all, sealer, { purpose: 'tenant', tenantId })
      const { fingerprintSha256: fingerprint, notAfter } = describeCertificate(certificatePem)
      return { tenantId, certificate: certificatePem, fingerprint, notAfter: notAfter.toISOString() }
    },
  )

  app.post<ById & { Body: TenantCertificateRequest }>(
    '/tenants/:id/certificates',
    { schema: route(tag, 'Issue a client certificate', issuedSchema, { params, body: issueSchema }) },
    async (call, reply) => {
      const proof = authorize(claimsOf(call), 'tenant', 'create_certificate', { tenantId: call.params.id })
      const issued = await issueTenantCertificate(context, proof, call.body, (trx, { id, fingerprint }) =>
        audited(trx, call, { certificateId: id, certificateFingerprint: fingerprint }),
      )
      reply.header('cache-control', 'no-store')
      return issued
    },
  )
}

function tenantOf(row: TenantRow) {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    stateReason: row.state_reason,
    limits: limitsOf(row),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
