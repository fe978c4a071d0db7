import type { FastifyInstance } from 'fastify'
import { authorize, type OperatorRole, operatorRoles } from '#libs/authz'
import {
  createOperator,
  deleteOperator,
  getOperator,
  listOperators,
  type OperatorSummary,
  setOperatorRole,
} from '#libs/store/operators'
import { note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { changeOperators } from './change-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, boolean, integer, listOf, oneOf, request, route, string, time } from './schemas.ts'

const tag = 'Operators'
/** Long enough before the end for somebody to see it, ask, and be answered. */
const soonMs = 30 * 24 * 60 * 60 * 1000
const roles = oneOf(...operatorRoles)
const resourceVersion = { ...string, maxLength: 32, description: 'Of the operator as you know it.' } as const
const operatorSchema = answer(
  {
    name: string,
    role: { ...roles, description: 'A viewer reads; support looks after tenants; an admin may do everything.' },
    resourceVersion,
    createdBy: string,
    createdAt: time,
    updatedBy: string,
    updatedAt: time,
    liveCertificates: { ...integer, description: 'Neither revoked nor ended.' },
    certificatesEndAt: { ...time, description: 'When the last of them ends; missing when there is none.' },
    certificatesEndSoon: { ...boolean, description: 'Within 30 days, or there is none: renew.' },
  },
  ['updatedBy', 'updatedAt', 'certificatesEndAt'],
)

/** What `nameParameter` makes of a route's path. */
export interface ByName {
  readonly Params: { readonly name: string }
}
export const nameParameter = request({ name: { ...string, minLength: 1, maxLength: 63 } }, ['name'])

/** Who runs the installation. No call leaves it without an admin that can get in. */
export function operatorRoutes(app: FastifyInstance, { database, pages, clock }: OperatorContext): void {
  const params = nameParameter
  const operatorOf = (row: OperatorSummary) => shown(row, clock.now())

  app.get<{ Querystring: PageQuery }>(
    '/operators',
    {
      schema: route(tag, 'List operators, and when their certificates end', listOf('operators', operatorSchema), {
        querystring: request(pageParameters),
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'operator', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'operators',
        { ...call.query },
        (after, limit) => listOperators(database.all, proof, { after: after ?? '', limit }),
        (row) => row.name,
      )
      return { operators: items.map(operatorOf), nextPageToken }
    },
  )

  app.get<ByName>(
    '/operators/:name',
    { schema: route(tag, 'Get an operator', operatorSchema, { params }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'operator', 'read', { operatorName: call.params.name })
      return operatorOf(await getOperator(database.all, proof))
    },
  )

  app.post<{ Body: { readonly name: string; readonly role: OperatorRole } }>(
    '/operators',
    {
      schema: route(
        tag,
        'Create an operator; it gets in with a certificate, which is a call of its own',
        operatorSchema,
        {
          body: request(
            {
              name: {
                ...string,
                pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
                description: 'Lower case letters, digits, dots, hyphens and underscores. Never used twice.',
              },
              role: roles,
            },
            ['name', 'role'],
          ),
        },
      ),
    },
    async (call) => {
      const { name, role } = call.body
      note(call, { operatorName: name, role })
      return changeOperators(database, call, async (trx, claims) => {
        await createOperator(trx, authorize(claims, 'operator', 'create', { fleet: true }), { name, role })
        return operatorOf(await getOperator(trx, authorize(claims, 'operator', 'read', { operatorName: name })))
      })
    },
  )

  app.post<ByName & { Body: { readonly role: OperatorRole; readonly resourceVersion: string } }>(
    '/operators/:name/role',
    {
      schema: route(
        tag,
        'Give another role, which acts with the next call; refused for the last admin',
        operatorSchema,
        {
          params,
          body: request({ role: roles, resourceVersion }, ['role', 'resourceVersion']),
        },
      ),
    },
    async (call) => {
      const { role } = call.body
      note(call, { role })
      return changeOperators(database, call, async (trx, claims) => {
        const proof = authorize(claims, 'operator', 'update', { operatorName: call.params.name })
        await setOperatorRole(trx, proof, role, call.body.resourceVersion)
        return operatorOf(await getOperator(trx, proof))
      })
    },
  )

  app.delete<ByName & { Querystring: { readonly resourceVersion: string } }>(
    '/operators/:name',
    {
      schema: route(tag, 'Delete it with its certificates; refused for the last admin', answer({}), {
        params,
        querystring: request({ resourceVersion }, ['resourceVersion']),
      }),
    },
    async (call) => {
      await changeOperators(database, call, (trx, claims) => {
        const proof = authorize(claims, 'operator', 'delete', { operatorName: call.params.name })
        return deleteOperator(trx, proof, call.query.resourceVersion)
      })
      return {}
    },
  )
}

function shown(row: OperatorSummary, now: Date) {
  const { certificates_end: end } = row
  return {
    name: row.name,
    role: row.role,
    resourceVersion: String(row.resource_version),
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    ...(row.updated_by === null ? {} : { updatedBy: row.updated_by }),
    ...(row.updated_at === null ? {} : { updatedAt: row.updated_at.toISOString() }),
    liveCertificates: row.live_certificates,
    ...(end === null ? {} : { certificatesEndAt: end.toISOString() }),
    certificatesEndSoon: end === null || end.getTime() - now.getTime() < soonMs,
  }
}
