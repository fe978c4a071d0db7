import type { NodeDesk } from '../../apps/edge/nodes/node-desk.ts'

/** Every node is one of this cell, ready, without a manifest to fetch: for tests that are about something else. */
export function readyNodes(cellId: () => string): NodeDesk {
  return {
    stateOf: async () => ({ cellId: cellId(), state: 'ready', role: 'all' }),
    readManifest: async () => undefined,
    onManifest: () => () => undefined,
    recordReport: async () => true,
  }
}
