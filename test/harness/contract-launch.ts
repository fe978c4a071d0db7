import type { NodeLaunch } from '../../apps/provisioner/drivers/contract.ts'

/** The launch of a node that does everything, from an image and from two types that there are. */
export function contractLaunch(nodeId: string, over: Partial<NodeLaunch> = {}): NodeLaunch {
  const instanceTypes = { default: ['m7g.large', 'm6g.large'] }
  const template = { serverVersion: '1.32.2', image: 'ami-0123456789abcdef0', instanceTypes }
  const userData = JSON.stringify({ nodeId, cellId: 'cell-contract' })
  return { nodeId, cellId: 'cell-contract', role: 'all', slotId: 'all-0', zone: 0, template, userData, ...over }
}
