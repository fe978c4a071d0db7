import type { ColumnType, Generated } from 'kysely'
import type { NodeNotice, NodeStatus } from '#libs/domain/nodes'

export interface NodeManifestsTable {
  node_id: string
  generation: number
  /** For the place `node_manifests/<node>/<generation>`. */
  manifest_sealed: string
  stored_at: Generated<Date>
}

export interface NodeReportsTable {
  node_id: string
  state: NodeStatus['state']
  /** −1: it has no manifest yet. */
  generation: number
  detail: string
  notice: ColumnType<NodeNotice | null, string | null, string | null>
  received_at: Generated<Date>
}

export interface NodeJoinsTable {
  node_id: string
  discovery_url: string
  expires_at: Date
  machine_id: ColumnType<string | null, undefined, string>
  address: ColumnType<string | null, undefined, string>
  /** SHA-256 of the node's key (SPKI), in hex. */
  public_key: ColumnType<string | null, undefined, never>
  csr_pem: ColumnType<string | null, undefined, never>
  joined_at: ColumnType<Date | null, undefined, never>
  /** The node's certificate and its cell's CA. */
  chain_pem: ColumnType<string | null, undefined, string>
  signed_at: ColumnType<Date | null, undefined, Date>
}
