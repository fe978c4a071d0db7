import { type Authorized, authorize } from '#libs/authz'
import { AppError, type Clock, invalid } from '#libs/base'
import { isUnderWay } from '#libs/domain/namespaces'
import { validateNexusEndpointSpec, validateNexusEndpointUpdate } from '#libs/domain/nexus-endpoints'
import type { Database, Executor } from '#libs/store'
import {
  createNexusEndpoint,
  getNexusEndpoint,
  listNexusEndpoints,
  markNexusEndpointDeleting,
  type NexusEndpointRow,
  nexusEndpointSpecOf,
  updateNexusEndpoint,
} from '#libs/store/nexus-endpoints'
import { openOperations } from '#libs/store/operations'
import { assertRoom } from '#libs/store/tenants'
import { type Member, memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { operationToWire } from '../operations/wire.ts'
import { type NexusEndpointHandlers, nexusEndpointSpecFromWire, nexusEndpointToWire } from './wire.ts'

export interface NexusEndpointDeps {
  readonly database: Database
  readonly clock: Clock
  readonly pageTokens: PageTokens
}

export function nexusEndpointHandlers(deps: NexusEndpointDeps): NexusEndpointHandlers {
  const { database, pageTokens } = deps
  return {
    async CreateNexusEndpoint(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const { tenantId } = member
      const proof = authorize(claims, 'account', 'create_nexus_endpoint', { tenantId })
      const { operation } = await mutate(deps, { rpc: 'CreateNexusEndpoint', request, context }, async (trx) => {
        const spec = nexusEndpointSpecFromWire(request.spec)
        const problems = validateNexusEndpointSpec(spec)
        if (problems.length > 0) throw invalid(problems)
        authorizeTarget(member, spec.targetNamespaceId)
        await assertRoom(trx, proof, 'nexusEndpoints')
        return pending(await createNexusEndpoint(trx, proof, spec))
      })
      return { endpointId: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetNexusEndpoints({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'nexus_endpoint', 'list', { tenantId })
      const filter = {
        name: request.name ?? '',
        targetNamespaceId: request.targetNamespaceId ?? '',
        targetTaskQueue: request.targetTaskQueue ?? '',
      }
      const scope = { tenantId, rpc: 'GetNexusEndpoints', filter }
      const page = pageTokens.read(scope, request)
      return database.ofTenant(tenantId, async (executor) => {
        const rows = await listNexusEndpoints(executor, proof, {
          name: filter.name || undefined,
          targetNamespaceId: filter.targetNamespaceId || undefined,
          targetTaskQueue: filter.targetTaskQueue || undefined,
          after: page.after,
          limit: page.size + 1,
        })
        const { items, next } = pageOf(page, rows, (row) => row.id)
        const operations = await operationsOf(executor, proof, items)
        return {
          endpoints: items.map((row) => nexusEndpointToWire(row, operations.get(row.id) ?? '')),
          nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
        }
      })
    },

    async GetNexusEndpoint({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const endpointId = request.endpointId ?? ''
      const proof = authorize(claims, 'nexus_endpoint', 'read', { tenantId, endpointId })
      return database.ofTenant(tenantId, async (executor) => {
        const row = await getNexusEndpoint(executor, proof)
        const operations = await operationsOf(executor, proof, [row])
        return { endpoint: nexusEndpointToWire(row, operations.get(row.id) ?? '') }
      })
    },

    async UpdateNexusEndpoint(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const target = { tenantId: member.tenantId, endpointId: request.endpointId ?? '' }
      const proof = authorize(claims, 'nexus_endpoint', 'update', target)
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'UpdateNexusEndpoint', request, context }, async (trx) => {
        const present = await getNexusEndpoint(trx, proof)
        assertVersion('nexus endpoint', present, version)
        if (present.state === 'deleting' || present.state === 'delete_failed') throw beingDeleted(present)
        const spec = nexusEndpointSpecFromWire(request.spec)
        authorizeTarget(member, present.target_namespace_id)
        if (spec.targetNamespaceId !== '') authorizeTarget(member, spec.targetNamespaceId)
        const problems = validateNexusEndpointUpdate(nexusEndpointSpecOf(present), spec)
        if (problems.length > 0) throw invalid(problems)
        return pending(await updateNexusEndpoint(trx, proof, spec, version))
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteNexusEndpoint(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const target = { tenantId: member.tenantId, endpointId: request.endpointId ?? '' }
      const proof = authorize(claims, 'nexus_endpoint', 'delete', target)
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteNexusEndpoint', request, context }, async (trx) => {
        const present = await getNexusEndpoint(trx, proof)
        authorizeTarget(member, present.target_namespace_id)
        return pending(await markNexusEndpointDeleting(trx, proof, version))
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

/** Who lets others into a namespace has to administer it: its workers do what the callers ask. */
function authorizeTarget(member: Member, namespaceId: string): void {
  authorize(member, 'namespace', 'host_nexus_endpoint', { tenantId: member.tenantId, namespaceId })
}

/** Only rows on which something is under way cost a second statement. */
async function operationsOf(
  executor: Executor,
  proof: Authorized<'nexus_endpoint', 'read'> | Authorized<'nexus_endpoint', 'list'>,
  rows: readonly NexusEndpointRow[],
): Promise<ReadonlyMap<string, string>> {
  const underWay = rows.filter((row) => isUnderWay(row.state)).map((row) => row.id)
  return openOperations(executor, proof, underWay)
}

function pending(row: NexusEndpointRow) {
  return { subject: { kind: 'nexus_endpoint', id: row.id, generation: row.generation }, settled: false }
}

function beingDeleted(row: NexusEndpointRow): AppError {
  return new AppError('precondition', `nexus endpoint ${JSON.stringify(row.id)} is being deleted`)
}
