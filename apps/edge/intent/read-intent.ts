import { dataPlanePermission } from '#libs/authz'
import { reachOf } from '#libs/domain/connectivity-rules'
import type { EdgeIntent, EdgeNamespace, EdgeNexus } from '#libs/domain/edges'
import { apiKeyAudience, apiKeyIssuer, nexusSecret, probeIssuer, readJwks } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { type EdgeNamespaceRow, type EdgeRows, readEdgeRows } from '#libs/store/edge'
import type { NamespaceTokens } from './namespace-tokens.ts'

export interface ReadIntentDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly tokens: NamespaceTokens
  /** Host names are `<namespace id>.<domain>`. */
  readonly domain: string
  /** Ports at the node's address. */
  readonly edgePort: number
  readonly edgePrivatePort: number
  readonly frontendPort: number
  readonly frontendHttpPort: number
}

/** What the cell's edge is to serve, as the rows say it now; undefined when there is no such cell. */
export async function readIntent(deps: ReadIntentDeps, cellId: string): Promise<EdgeIntent | undefined> {
  const { database } = deps
  const rows = await readEdgeRows(database, cellId)
  if (rows === undefined) return undefined
  const byTenant = groupByTenant(rows)
  return {
    cellId,
    port: deps.edgePort,
    privatePort: deps.edgePrivatePort,
    frontends: rows.frontends.map(({ address }) => ({ host: address, port: deps.frontendPort })),
    frontendHttpPort: deps.frontendHttpPort,
    namespaces: await Promise.all(rows.namespaces.map((row) => namespaceOf(deps, cellId, row, byTenant))),
    apiKeys: {
      issuer: apiKeyIssuer,
      audience: apiKeyAudience,
      jwks: await readJwks(database.all, { purpose: 'api_key' }),
    },
    probe: { issuer: probeIssuer, jwks: await readJwks(database.all, { purpose: 'probe' }) },
    nexus: nexusOf(rows, nexusSecret(deps.sealer, cellId)),
  }
}

/** A tenant's endpoint sends its own tenant's calls to its own tenant's namespaces, whatever else a row may say. */
function nexusOf(rows: EdgeRows, secret: string): EdgeNexus {
  const tenants = new Set(rows.nexusTenants)
  const tenantOf = new Map(rows.namespaces.map((row) => [row.id, row.tenant_id]))
  const isTenants = (tenantId: string, id: string) => tenantOf.get(id) === tenantId
  return {
    secret,
    endpoints: rows.nexusEndpoints
      .filter((row) => isTenants(row.tenant_id, row.target_namespace_id))
      .map((row) => ({
        id: row.id,
        name: row.name,
        generation: row.generation,
        targetNamespaceId: row.target_namespace_id,
        targetTaskQueue: row.target_task_queue,
        allowedNamespaceIds: row.allowed_namespace_ids.filter((id) => isTenants(row.tenant_id, id)),
      })),
    callers: rows.namespaces.filter((row) => tenants.has(row.tenant_id)).map((row) => row.id),
  }
}

interface TenantRows {
  readonly principals: EdgeRows['principals']
  readonly revokedKeyIds: readonly string[]
  readonly revokedFingerprints: readonly string[]
  readonly connectivityRules: EdgeRows['connectivityRules']
}

function groupByTenant(rows: EdgeRows): ReadonlyMap<string, TenantRows> {
  const principals = Map.groupBy(rows.principals, (row) => row.tenant_id)
  const keys = Map.groupBy(rows.revokedKeys, (row) => row.tenant_id)
  const certificates = Map.groupBy(rows.revokedCertificates, (row) => row.tenant_id)
  const rules = Map.groupBy(rows.connectivityRules, (row) => row.tenant_id)
  const tenants = new Set(rows.namespaces.map((row) => row.tenant_id))
  return new Map(
    [...tenants].map((tenantId) => [
      tenantId,
      {
        principals: principals.get(tenantId) ?? [],
        revokedKeyIds: (keys.get(tenantId) ?? []).map((row) => row.id),
        revokedFingerprints: (certificates.get(tenantId) ?? []).map((row) => row.fingerprint),
        connectivityRules: rules.get(tenantId) ?? [],
      },
    ]),
  )
}

async function namespaceOf(
  deps: ReadIntentDeps,
  cellId: string,
  row: EdgeNamespaceRow,
  byTenant: ReadonlyMap<string, TenantRows>,
): Promise<EdgeNamespace> {
  const tenant = byTenant.get(row.tenant_id)
  const holders = (permission: 'write' | 'read') =>
    (tenant?.principals ?? [])
      .filter((principal) => permissionOf(principal, row.id) === permission)
      .map((principal) => principal.id)
  const { mtlsAuth, apiKeyAuth, connectivityRuleIds = [] } = row.spec
  const named = new Set(connectivityRuleIds)
  const reach = reachOf(
    connectivityRuleIds,
    (tenant?.connectivityRules ?? []).filter(({ id }) => named.has(id)).map(({ spec }) => spec),
  )
  return {
    id: row.id,
    hostname: `${row.id}.${deps.domain}`,
    generation: row.generation,
    serverCertificatePem: row.certificate_pem,
    serverKeyPem: openKey(deps.sealer, row),
    ...(mtlsAuth.enabled ? { clientCa: { pem: mtlsAuth.acceptedClientCa, filters: mtlsAuth.certificateFilters } } : {}),
    apiKeysEnabled: apiKeyAuth.enabled,
    ...(reach === undefined ? {} : { reach }),
    suspended: row.tenant_state === 'suspended',
    revokedFingerprints: tenant?.revokedFingerprints ?? [],
    revokedKeyIds: tenant?.revokedKeyIds ?? [],
    writers: holders('write'),
    readers: holders('read'),
    tokens: await deps.tokens.of(cellId, row.id),
  }
}

/** A key that does not open is one namespace's trouble: without it the translator leaves that one out, and says so. */
function openKey(sealer: Sealer, row: EdgeNamespaceRow): string {
  try {
    return sealer.open(row.key_sealed, `certificates/${row.certificate_id}`).toString('utf8')
  } catch {
    return ''
  }
}

function permissionOf(principal: EdgeRows['principals'][number], namespaceId: string): 'write' | 'read' | undefined {
  const { tenant_id: tenantId, roles, grants } = principal
  // Custom roles speak of the control plane alone.
  const access = { tenantId, roles, namespaceGrants: new Map(Object.entries(grants)), customPermissions: [] }
  return dataPlanePermission(access, namespaceId)
}
