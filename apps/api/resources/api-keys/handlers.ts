import { type Authorized, authorize } from '#libs/authz'
import { AppError, type Clock, invalid } from '#libs/base'
import { type ApiKeySpec, apiKeyLimit, validateApiKeySpec, validateApiKeyUpdate } from '#libs/domain/api-keys'
import type { Database, Trx } from '#libs/store'
import { accessOfOne } from '#libs/store/access'
import { type ApiKeyRow, createApiKey, deleteApiKey, getApiKey, listApiKeys, updateApiKey } from '#libs/store/api-keys'
import { getServiceAccount } from '#libs/store/service-accounts'
import { assertRoom } from '#libs/store/tenants'
import type { ApiKeyTokens } from '../../auth/api-key-tokens.ts'
import { type Member, memberOf } from '../../auth/member.ts'
import { type PageTokens, pageOf } from '../../paging/page-tokens.ts'
import { authorizeAccess } from '../identity/authorize-access.ts'
import { assertVersion } from '../operations/assert-version.ts'
import { type Mutated, mutate, requiredVersion } from '../operations/mutation.ts'
import { settled } from '../operations/settled.ts'
import { operationToWire } from '../operations/wire.ts'
import { serviceAccountSpecOf, wholeAccessIn } from '../service-accounts/wire.ts'
import { type ApiKeyHandlers, apiKeySpecFromWire, apiKeySpecOf, apiKeyToWire, ownerKindOfFilter } from './wire.ts'

export interface ApiKeyDeps {
  readonly database: Database
  readonly clock: Clock
  readonly tokens: ApiKeyTokens
  readonly pageTokens: PageTokens
}

/** How long, in milliseconds, a repeated CreateApiKey gets the token again: clients repeat within seconds. */
const tokenAgainMs = 10 * 60_000

export function apiKeyHandlers(deps: ApiKeyDeps): ApiKeyHandlers {
  const { database, clock, pageTokens } = deps
  return {
    async CreateApiKey(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const spec = apiKeySpecFromWire(request.spec)
      const owner = authorizeOwner(member, spec)
      const mutated = await mutate(deps, { rpc: 'CreateApiKey', request, context }, async (trx) => {
        const problems = validateApiKeySpec(spec, clock.now())
        if (problems.length > 0) throw invalid(problems)
        await owner.check(trx)
        await assertRoom(trx, owner.proof, 'revokedApiKeys')
        const key = { ...spec, ownerKind: spec.ownerType }
        const row = await createApiKey(trx, owner.proof, key, apiKeyLimit(spec.ownerType))
        return settled('api_key', row.id, row.resource_version)
      })
      return {
        keyId: mutated.operation.resource_id,
        token: await tokenOf(deps, member, mutated),
        asyncOperation: operationToWire(mutated.operation),
      }
    },

    async GetApiKeys({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'api_key', 'list', { tenantId })
      const ownerKind = ownerKindOfFilter(request)
      const ownerId = request.ownerId ?? ''
      const scope = { tenantId, rpc: 'GetApiKeys', filter: { ownerId, ownerKind: ownerKind ?? '' } }
      const page = pageTokens.read(scope, request)
      const query = { ownerId: ownerId || undefined, ownerKind, after: page.after, limit: page.size + 1 }
      const rows = await database.ofTenant(tenantId, (executor) => listApiKeys(executor, proof, query))
      const { items, next } = pageOf(page, rows, (row) => row.id)
      return {
        apiKeys: items.map((row) => apiKeyToWire(row, clock.now())),
        nextPageToken: next === undefined ? '' : pageTokens.write(scope, next),
      }
    },

    async GetApiKey({ claims }, request) {
      const { tenantId } = memberOf(claims)
      const proof = authorize(claims, 'api_key', 'read', { tenantId, keyId: request.keyId ?? '' })
      const row = await database.ofTenant(tenantId, (executor) => getApiKey(executor, proof))
      return { apiKey: apiKeyToWire(row, clock.now()) }
    },

    async UpdateApiKey(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const proof = authorize(claims, 'api_key', 'update', { tenantId: member.tenantId, keyId: request.keyId ?? '' })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'UpdateApiKey', request, context }, async (trx) => {
        const present = await getApiKey(trx, proof)
        const spec = apiKeySpecFromWire(request.spec)
        assertVersion('API key', present, version)
        const problems = validateApiKeyUpdate(apiKeySpecOf(present), spec)
        if (problems.length > 0) throw invalid(problems)
        const row = await updateApiKey(trx, proof, spec, version)
        return settled('api_key', row.id, row.resource_version)
      })
      return { asyncOperation: operationToWire(operation) }
    },

    async DeleteApiKey(context, request) {
      const { claims } = context
      const member = memberOf(claims)
      const keyId = request.keyId ?? ''
      const proof = authorize(claims, 'api_key', 'delete', { tenantId: member.tenantId, keyId })
      const version = requiredVersion(request)
      const { operation } = await mutate(deps, { rpc: 'DeleteApiKey', request, context }, async (trx) => {
        await deleteApiKey(trx, proof, version)
        return settled('api_key', keyId, Number(version))
      })
      return { asyncOperation: operationToWire(operation) }
    },
  }
}

interface OwnerCheck {
  readonly proof: Authorized<'user', 'create_api_key'> | Authorized<'service_account', 'create_api_key'>
  /**
   * @throws AppError `not_found` when there is no such owner, or the caller may not see it; `forbidden` when the owner has
   * more than the caller.
   */
  readonly check: (trx: Trx) => Promise<void>
}

/** A person's key is made by that person alone, so that the owner is the caller, who exists. */
function authorizeOwner(member: Member, { ownerType, ownerId }: ApiKeySpec): OwnerCheck {
  const { tenantId } = member
  if (ownerType === 'user') {
    const proof = authorize(member, 'user', 'create_api_key', { tenantId, userId: ownerId })
    if (member.kind !== 'user') throw new AppError('forbidden', 'a service account has keys of service accounts only')
    return { proof, check: async () => undefined }
  }
  const proof = authorize(member, 'service_account', 'create_api_key', { tenantId, serviceAccountId: ownerId })
  const check = async (trx: Trx) => {
    const owner = await getServiceAccount(trx, proof)
    if (owner.id === member.principalId) return
    // Whoever has a key of the account can do what the account can.
    const access = await accessOfOne(trx, proof, owner.id)
    await authorizeAccess(trx, member, { before: wholeAccessIn(serviceAccountSpecOf(owner, access)) })
  }
  return { proof, check }
}

/**
 * The token, or nothing. It is stored nowhere: whoever repeats their own request soon gets it signed anew, for the same
 * key, as long as there is that key.
 */
async function tokenOf({ database, clock, tokens }: ApiKeyDeps, member: Member, mutated: Mutated): Promise<string> {
  const { operation, repeated, dryRun } = mutated
  if (dryRun) return ''
  if (repeated && clock.now().getTime() - operation.created_at.getTime() > tokenAgainMs) return ''
  const { tenantId } = member
  const proof = authorize(member, 'api_key', 'read', { tenantId, keyId: operation.resource_id })
  const row = await database.ofTenant(tenantId, (executor) => getApiKey(executor, proof)).catch(orGone)
  if (row === undefined) return ''
  return tokens.mint({ tenantId, principalId: row.owner_id, keyId: row.id, expiresAt: row.expires_at })
}

function orGone(thrown: unknown): ApiKeyRow | undefined {
  if (thrown instanceof AppError && thrown.code === 'not_found') return undefined
  throw thrown
}
