import { hasEdge } from '#libs/domain/nodes'
import type { NodeLaunch } from '../contract.ts'
import type { Ec2Options } from './ec2-options.ts'

/** One way to launch a node: which type, in which zone. */
export interface Placement {
  readonly instanceType: string
  readonly subnetId: string
  readonly zone: string
}

/**
 * Every way to launch a node, the best first: each type in the zone that it is to be in, then each in the next one. A cell
 * whose nodes have gathered in one zone has lost what its zones are for; another type only costs another price.
 * Empty when the template names no type for the role.
 */
export function placementsOf(options: Ec2Options, launch: NodeLaunch): readonly Placement[] {
  const { role, zone, template } = launch
  const types = template.instanceTypes?.[role] ?? template.instanceTypes?.default ?? []
  const subnets = hasEdge(role) ? options.edgeSubnets : options.subnets
  const first = ((zone % subnets.length) + subnets.length) % subnets.length
  const inOrder = [...subnets.slice(first), ...subnets.slice(0, first)]
  return inOrder.flatMap(({ id, zone: name }) =>
    types.map((instanceType) => ({ instanceType, subnetId: id, zone: name })),
  )
}
