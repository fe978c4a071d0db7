import { createHash } from 'node:crypto'
import { systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { type NodeManifest, nodePorts } from '#libs/domain/nodes'
import { nexusSecret, openAuthority, openSigningKey, readJwks } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import type { CellRow } from '#libs/store/cells'
import { listPeers } from '#libs/store/moves'
import { listCellLimits } from '#libs/store/namespaces'
import type { NodeRow } from '#libs/store/nodes'
import { ourColumns } from '../../cells/database-schema.ts'
import { cellDatabase } from '../../cells/databases.ts'
import type { Releases } from '../../cells/releases.ts'
import { renderNode } from '../../cells/render-node.ts'
import { anyCellName } from '../../cells/temporal-config.ts'
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

/** Another name when the code makes something else of the same input. */
const rendering = 'by role'

/**
 * A hash of all that goes into every manifest from the settings and the code, and not from rows or keys (those bump the node's
 * generation themselves): nodes whose last manifest came from other settings need a new one.
 */
export function manifestSettings(deps: ManifestDeps, { template }: Pick<NodeRow, 'template'>): string {
  const { host, pathname } = new URL(deps.cellDatabaseUrl)
  const parts = [
    rendering,
    ourColumns,
    // Cells can know each other.
    anyCellName,
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
  const nodeRoot = await openAuthority(database.all, sealer, { purpose: 'node' })
  const password = sealer.open(cell.database_password_sealed, `cells/${cell.id}/database`).toString('utf8')
  return renderNode({
    nodeId: node.id,
    cellId: cell.id,
    generation: node.generation,
    address,
    ports: nodePorts,
    role: node.role,
    size: cell.size,
    // Of the node's own template: old and new ones run side by side while a cell changes.
    temporalServer: deps.releases.serverOf(node.template.serverVersion),
    database: cellDatabase(deps.cellDatabaseUrl, cell.id, password),
    historyShards: cell.history_shards,
    cluster: { name: cell.cluster_name, failoverVersion: cell.failover_version },
    jwks: await readJwks(database.all, { purpose: 'cell', cellId: cell.id }),
    internode: {
      serverName: internodeName(cell.id),
      certificate: identity.chainPem,
      key,
      ca: identity.cellCaPem,
      root: nodeRoot.certificatePem,
      peers: await peersOf(deps, cell.id, node.id),
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

/** CAs of the cells that replicate namespaces with this one: whom its services let in besides its own nodes, and no longer than that. */
async function peersOf({ database, sealer }: ManifestDeps, cellId: string, nodeId: string): Promise<readonly string[]> {
  const peers = await listPeers(database.all, system.authorize('node', 'update', { nodeId }), cellId)
  const pems: string[] = []
  for (const peer of peers) {
    pems.push((await openAuthority(database.all, sealer, { purpose: 'cell', cellId: peer })).certificatePem)
  }
  return pems
}
