import { createHash } from 'node:crypto'
import { systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { type NodeManifest, nodePorts } from '#libs/domain/nodes'
import { nexusSecret, openAuthority, openSigningKey, readJwks } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { CellRow } from '#libs/store/cells'
import { listCellLimits } from '#libs/store/namespaces'
import type { NodeRow } from '#libs/store/nodes'
import { ourColumns } from '../../cells/database-schema.ts'
import { cellDatabase } from '../../cells/databases.ts'
import type { Releases } from '../../cells/releases.ts'
import { renderNode } from '../../cells/render-node.ts'
import { ensureNodeCertificate, internodeName } from '../certificates/node-certificate.ts'
import type { JoinedNode } from './join.ts'

const system = systemActor('node-manifest')

export interface ManifestDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  readonly releases: Releases
  /** Absolute path on the node. */
  readonly envoy: string
  /** Worker threads of each Envoy. */
  readonly envoyConcurrency: number
  /** Base URL of the discovery server, as nodes reach it. */
  readonly discoveryUrl: string
  /** Server on which the cells' databases are. */
  readonly cellDatabaseUrl: string
}

/**
 * A hash of all that goes into every manifest from the settings and the code, and not from rows or keys (those bump the node's
 * generation themselves): nodes whose last manifest came from other settings need a new one.
 */
export function manifestSettings(deps: ManifestDeps, { template }: Pick<NodeRow, 'template'>): string {
  const { host, pathname } = new URL(deps.cellDatabaseUrl)
  const parts = [
    ourColumns,
    deps.releases.serverOf(template.serverVersion),
    deps.envoy,
    deps.envoyConcurrency,
    deps.discoveryUrl,
    host,
    pathname,
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

/**
 * Gathers what a node is to be from the rows and the keys, and renders it.
 * @param joined where the node made its key itself; otherwise it gets one of ours.
 */
export async function manifestOf(
  deps: ManifestDeps,
  cell: CellRow,
  node: NodeRow,
  address: string,
  joined: JoinedNode | undefined,
): Promise<NodeManifest> {
  const { database, sealer } = deps
  const identity: JoinedNode & { readonly keyPem?: string } =
    joined ?? (await ensureNodeCertificate(deps, cell.id, node.id))
  const key = identity.keyPem
  // Made here if need be: the node's key set must name the key that will sign.
  await openSigningKey(database.all, sealer, { purpose: 'cell', cellId: cell.id })
  const serverCa = await openAuthority(database.all, sealer, { purpose: 'server' })
  const password = sealer.open(cell.database_password_sealed, `cells/${cell.id}/database`).toString('utf8')
  return renderNode({
    nodeId: node.id,
    cellId: cell.id,
    generation: node.generation,
    address,
    ports: nodePorts,
    // Of the node's own template: old and new ones run side by side while a cell changes.
    temporalServer: deps.releases.serverOf(node.template.serverVersion),
    database: cellDatabase(deps.cellDatabaseUrl, cell.id, password),
    historyShards: cell.history_shards,
    jwks: await readJwks(database.all, { purpose: 'cell', cellId: cell.id }),
    internode: {
      serverName: internodeName(cell.id),
      certificate: identity.leafPem,
      key,
      ca: identity.cellCaPem,
    },
    namespaceLimits: await listCellLimits(
      database.all,
      system.authorize('node', 'update', { nodeId: node.id }),
      cell.id,
    ),
    edge: {
      url: deps.discoveryUrl,
      ca: serverCa.certificatePem,
      certificate: identity.chainPem,
      key,
      envoy: deps.envoy,
      concurrency: deps.envoyConcurrency,
      nexusSecret: nexusSecret(sealer, cell.id),
    },
  })
}
