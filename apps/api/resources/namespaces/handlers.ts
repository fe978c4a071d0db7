import { isDeepStrictEqual } from 'node:util'
import { type Authorized, authorize, creatorGrant } from '#libs/authz'
import { AppError, type Clock, invalid, notFound } from '#libs/base'
import type { Region } from '#libs/config'
import { validateAttachment } from '#libs/domain/connectivity-rules'
import {
  isUnderWay,
  type NamespaceSpec,
  needsReconciling,
  validateNew,
  validateTags,
  validateUpdate,
} from '#libs/domain/namespaces'
import { enqueue } from '#libs/jobs'
import { validateCaBundle } from '#libs/pki'
import type { Database, Executor, Trx } from '#libs/store'
import {
  type ConnectivityRuleRow,
  connectivityRuleSpecOf,
  findConnectivityRules,
  lockConnectivityRules,
} from '#libs/store/connectivity-rules'
import {
  beginCapacityRequest,
  createNamespace,
  findNamespaces,
  grantToCreator,
  listNamespaces,
  lockNamespace,
  markNamespaceDeleting,
  type NamespaceRow,
  replaceToldSpec,
  updateNamespaceSpec,
} from '#libs/store/namespaces'
import { releaseNamespace } from '#libs/store/nexus-endpoints'
import { openOperations } from '#libs/store/operations'
import { assertRoom } from '#libs/store/tenants'
import { memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { TenantReads } from '../../reads/tenant-reads.ts'
import { authorizeGrant } from '../identity/authorize-access.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { mutate, requiredVersion } from '../operations/mutation.ts'
import { operationToWire } from '../operations/wire.ts'
import type { EndpointNames } from './endpoints.ts'
import { caProblems, type NamespaceHandlers, namespaceToWire, specFromWire, tagsFromWire } from './wire.ts'

export interface NamespaceDeps extends EndpointNames {
  readonly database: Database
  readonly clock: Clock
  readonly regions: readonly Region[]
  readonly pageTokens: PageTokens
}

export function namespaceHandlers(deps: NamespaceDeps): NamespaceHandlers {
  const { database, clock, pageTokens } = deps
  const limits = { regions: deps.regions.map((region) => region.id) }

  const reads = new TenantReads(database, readNamespaces)

  return {
    async CreateNamespace(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const { tenantId } = member
      const proof = authorize(claims, 'account', 'create_namespace', { tenantId })
      const { operation } = await mutate(
        deps,
        { rpc: 'CreateNamespace', request, context },
        async (trx, operationId) => {
          const spec = specFromWire(request.spec)
          const tags = tagsFromWire(request.tags)
          const problems = [...validateNew(spec, limits), ...validateTags(tags)]
          if (problems.length > 0) throw invalid(problems)
          checkCa(spec, undefined, clock)
          await checkConnectivity(trx, proof, spec)
          await assertRoom(trx, proof, 'namespaces')
          const row = await createNamespace(trx, proof, { spec, tags, region: activeRegion(spec) })
          if (spec.capacity !== undefined) {
            await beginCapacityRequest(trx, proof, row, {
              capacity: spec.capacity,
              operationId,
              startedAt: clock.now(),
            })
          }
          const grant = creatorGrant(member)
          if (grant !== undefined) await grantToCreator(trx, proof, row.id, grant)
          return { subject: subjectOf(row), settled: false }
        },
      )
      return { namespace: operation.resource_id, asyncOperation: operationToWire(operation) }
    },

    async GetNamespaces({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'namespace', 'list', { tenantId })
      const name = request.name ?? ''
      const scope = { tenantId, rpc: 'GetNamespaces', filter: { name } }
      const page = pageTokens.read(scope, request)
      const found = await database.ofTenant(tenantId, async (executor) => {
        const query = { name: name === '' ? undefined : name, after: page.after, limit: page.size + 1 }
        const { items, next } = pageOf(page, await listNamespaces(executor, proof, query), (row) => row.name)
        const rules = await findConnectivityRules(executor, proof, items.flatMap(ruleIdsOf))
        return { items, next, rules, operations: await operationsOf(executor, proof, items) }
      })
      return {
        namespaces: found.items.map((row) =>
          namespaceToWire(row, found.operations.get(row.id) ?? '', found.rules, deps),
        ),
        nextPageToken: found.next === undefined ? '' : pageTokens.write(scope, found.next),
      }
    },

    async GetNamespace({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'namespace', 'read', { tenantId, namespaceId: request.namespace ?? '' })
      const { namespaceId } = proof.target
      const found = (await reads.read(tenantId, proof)).get(namespaceId)
      if (found === undefined) throw notFound('namespace', namespaceId)
      return { namespace: namespaceToWire(found.row, found.operationId, found.rules, deps) }
    },

    async UpdateNamespace(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const namespaceId = request.namespace ?? ''
      const proof = authorize(claims, 'namespace', 'update', { tenantId: member.tenantId, namespaceId })
      const version = requiredVersion(request)
      const { operation } = await mutate(
        deps,
        { rpc: 'UpdateNamespace', request, context },
        async (trx, operationId) => {
          const present = await lockNamespace(trx, proof)
          const spec = specFromWire(request.spec, present.spec)
          assertVersion('namespace', present, version)
          if (present.state === 'delete_failed' || present.state === 'deleting') throw beingDeleted(present)
          const problems = validateUpdate(present, spec, limits)
          if (problems.length > 0) throw invalid(problems)
          checkCa(spec, present.spec, clock)
          // Who may get in with a certificate may write: whoever says who must be able to, and a custom role gives no data.
          if (!isDeepStrictEqual(spec.mtlsAuth, present.spec.mtlsAuth)) authorizeGrant(member, namespaceId, 'write')
          await checkConnectivity(trx, proof, spec)
          if (mayBeToldAlone(present, spec)) {
            return { subject: subjectOf(await replaceToldSpec(trx, proof, spec, version)), settled: true }
          }
          const row = await updateNamespaceSpec(trx, proof, spec, version)
          const { capacity } = spec
          const failedBefore = present.capacity_status?.request?.outcome === 'failed'
          if (capacity !== undefined && (failedBefore || !isDeepStrictEqual(capacity, present.spec.capacity))) {
            await beginCapacityRequest(trx, proof, row, { capacity, operationId, startedAt: clock.now() })
          }
          return { subject: subjectOf(row), settled: false }
        },
      )
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteNamespace(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const namespaceId = request.namespace ?? ''
      const proof = authorize(claims, 'namespace', 'delete', { tenantId: member.tenantId, namespaceId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteNamespace', request, context }, async (trx) => {
        const row = await markNamespaceDeleting(trx, proof, version)
        // Asked of the row that the version stood for; the rollback takes the mark away again.
        if (row.spec.deletionProtected) throw deletionProtected(row)
        for (const endpointId of await releaseNamespace(trx, proof)) {
          await enqueue(trx, 'reconcile-nexus-endpoint', { endpointId })
        }
        return { subject: subjectOf(row), settled: false }
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

/** With what is under way on each, and the connectivity rules of all. */
async function readNamespaces(
  executor: Executor,
  tenantId: string,
  proofs: readonly Authorized<'namespace', 'read'>[],
): Promise<ReadonlyMap<string, FoundNamespace>> {
  const rows = await findNamespaces(executor, tenantId, proofs)
  const [proof] = proofs
  const operations = proof === undefined ? new Map<string, string>() : await operationsOf(executor, proof, rows)
  const rules =
    proof === undefined
      ? new Map<string, ConnectivityRuleRow>()
      : await findConnectivityRules(executor, proof, rows.flatMap(ruleIdsOf))
  return new Map(rows.map((row) => [row.id, { row, rules, operationId: operations.get(row.id) ?? '' }]))
}

interface FoundNamespace {
  readonly row: NamespaceRow
  readonly operationId: string
  readonly rules: ReadonlyMap<string, ConnectivityRuleRow>
}

function ruleIdsOf(row: NamespaceRow): readonly string[] {
  return row.spec.connectivityRuleIds ?? []
}

/** The tenant has these rules, and keeps them as long as the namespace names them. @throws AppError `invalid` */
async function checkConnectivity(
  trx: Trx,
  proof: Authorized<'account', 'create_namespace'> | Authorized<'namespace', 'update'>,
  { connectivityRuleIds: ids = [] }: NamespaceSpec,
): Promise<void> {
  const rules = await lockConnectivityRules(trx, proof, ids)
  const found = new Map([...rules].map(([id, row]) => [id, { spec: connectivityRuleSpecOf(row) }]))
  const problems = validateAttachment(ids, found)
  if (problems.length > 0) throw invalid(problems)
}

function subjectOf(row: NamespaceRow) {
  return { kind: 'namespace', id: row.id, generation: row.generation }
}

/** What failed before is tried again by every update, whatever it changes. */
function mayBeToldAlone(present: NamespaceRow, spec: NamespaceSpec): boolean {
  const hasFailed = present.state === 'update_failed' || present.state === 'activation_failed'
  return !hasFailed && !needsReconciling(present.spec, spec)
}

/** The first one is the active one; that there is one has been validated. */
function activeRegion(spec: NamespaceSpec): string {
  return spec.regions[0] ?? ''
}

/** A bundle that was accepted once stays good, although it may have expired since: other parts must stay changeable. */
function checkCa(spec: NamespaceSpec, current: NamespaceSpec | undefined, clock: Clock): void {
  const { acceptedClientCa } = spec.mtlsAuth
  if (acceptedClientCa === '' || acceptedClientCa === current?.mtlsAuth.acceptedClientCa) return
  const { problems } = validateCaBundle(acceptedClientCa, clock.now())
  if (problems.length > 0) throw caProblems(problems)
}

/** Only rows on which something is under way cost a second statement. */
async function operationsOf(
  executor: Executor,
  proof: Authorized<'namespace', 'read'> | Authorized<'namespace', 'list'>,
  rows: readonly NamespaceRow[],
): Promise<ReadonlyMap<string, string>> {
  return openOperations(
    executor,
    proof,
    rows.filter((row) => isUnderWay(row.state)).map((row) => row.id),
  )
}

function beingDeleted(row: NamespaceRow): AppError {
  return new AppError('precondition', `namespace ${JSON.stringify(row.id)} is being deleted`)
}

function deletionProtected(row: NamespaceRow): AppError {
  return new AppError(
    'precondition',
    `namespace ${JSON.stringify(row.id)} has delete protection: turn off spec.lifecycle.enable_delete_protection first`,
  )
}
