import type { NodeNotice } from '#libs/domain/nodes'
import type { Logger } from '#libs/telemetry'
import { followManifest } from './follow-manifest.ts'
import { type Identity, readIdentity } from './identity.ts'
import { join } from './join.ts'
import type { MachineMetadata } from './metadata.ts'
import { reportStatus } from './report-status.ts'
import { watchNotices } from './watch-notices.ts'

export interface RemoteNodeOptions {
  /** The node's folder. */
  readonly dir: string
  readonly metadata: MachineMetadata
  /** Told after each new manifest. */
  readonly onManifest: () => void
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * The side of a node agent that talks to the control plane, for a machine on which nobody else writes files: joins, keeps
 * `manifest.json`, and says how the node is. What runs on the node needs none of it to go on. Ends when `signal` aborts.
 */
export async function remoteNode(options: RemoteNodeOptions): Promise<void> {
  const identity = (await readIdentity(options.dir)) ?? (await join(options))
  if (identity === undefined) return
  let notice: NodeNotice | undefined
  await Promise.all([
    followManifest({ ...options, identity }),
    reportStatus({ ...options, identity, notice: () => notice }),
    watchNotices({
      ...options,
      onNotice: (seen) => {
        notice = seen
      },
    }),
  ])
}

/**
 * Whether the folder is of this machine: one that came with a copied disk would make two machines of one node. A machine
 * whose provider says nothing at the moment is believed.
 */
export async function isOwnFolder(dir: string, metadata: MachineMetadata): Promise<boolean> {
  const identity: Identity | undefined = await readIdentity(dir)
  if (identity === undefined) return true
  const machineId = await metadata.get('meta-data/instance-id').catch(() => undefined)
  return machineId === undefined || machineId.trim() === identity.machineId
}
