import { hasEdge, type NodeRole } from '#libs/domain/nodes'
import type { Ec2Options } from './ec2-options.ts'

/** Every node talks to its cell; one with an edge talks to tenants, too. */
export function launchSecurityGroups({ securityGroups }: Ec2Options, role: NodeRole): readonly string[] {
  return hasEdge(role) ? [...new Set([...securityGroups.node, ...securityGroups.edge])] : securityGroups.node
}
