import { systemActor } from '#libs/authz'
import type { NodeManifest, NodeNotice } from '#libs/domain/nodes'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { forgetNodeMail, listReports, storeManifest } from '#libs/store/node-mail'
import type { MachineNotice } from '../contract.ts'
import type { NodeMailbox, NodeReport } from './mailbox.ts'

const system = systemActor('node-mailbox')

/** The mailbox in the product's database. `apps/edge` is its other side: it talks to the nodes. */
export class StoredMailbox implements NodeMailbox {
  readonly #database: Database
  readonly #sealer: Sealer

  constructor({ database, sealer }: { readonly database: Database; readonly sealer: Sealer }) {
    this.#database = database
    this.#sealer = sealer
  }

  async put(manifest: NodeManifest): Promise<void> {
    const { nodeId, generation } = manifest
    const sealed = this.#sealer.seal(JSON.stringify(manifest), `node_manifests/${nodeId}/${generation}`)
    const proof = system.authorize('node', 'update', { nodeId })
    await storeManifest(this.#database.all, proof, { generation, sealed })
  }

  async read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, NodeReport>> {
    const mayList = system.authorize('node', 'list', { fleet: true })
    const rows = await listReports(this.#database.all, mayList, nodeIds)
    return new Map(
      rows.map((row) => {
        const { state, generation, detail, received_at: at } = row
        const notice = row.notice === null ? {} : { notice: machineNotice(row.notice) }
        return [row.node_id, { state, generation, detail, at, ...notice }]
      }),
    )
  }

  async forget(nodeId: string): Promise<void> {
    await forgetNodeMail(this.#database.all, system.authorize('node', 'update', { nodeId }))
  }
}

function machineNotice({ kind, at, detail }: NodeNotice): MachineNotice {
  return { kind, at: new Date(at), detail }
}
