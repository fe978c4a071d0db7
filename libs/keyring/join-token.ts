import type { Sealer } from '#libs/sealing'

/**
 * What a machine shows when it wants to become this node. The same at every retry of a launch, since a launch whose answer
 * was lost is found again by its parameters; whether it is good for anything stands in the node's join.
 */
export function joinToken(sealer: Sealer, nodeId: string): string {
  return sealer.derive(`nodes/${nodeId}/join`)
}
