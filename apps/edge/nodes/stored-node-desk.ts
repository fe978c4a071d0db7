import { reportSeconds } from '#libs/domain/nodes'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { readNodeState, readSealedManifest, recordReport } from '#libs/store/node-mail'
import type { NodeDesk } from './node-desk.ts'

export interface StoredNodeDeskDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly onManifest: NodeDesk['onManifest']
}

/** A report without news is written when the last one is this old: a little less than what nodes wait. */
const freshMs = (reportSeconds - 2) * 1_000

/** The desk over the product's database, the other side of the provisioner's mailbox. */
export function storedNodeDesk({ database, sealer, onManifest }: StoredNodeDeskDeps): NodeDesk {
  return {
    onManifest,
    stateOf: (nodeId) => readNodeState(database, nodeId),
    recordReport: (nodeId, report) => recordReport(database, nodeId, report, freshMs),
    readManifest: async (nodeId) => {
      const found = await readSealedManifest(database, nodeId)
      if (found === undefined) return undefined
      const { generation, sealed } = found
      return { generation, text: sealer.open(sealed, `node_manifests/${nodeId}/${generation}`).toString('utf8') }
    },
  }
}
