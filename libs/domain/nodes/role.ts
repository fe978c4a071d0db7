/**
 * What a node is for: in small cells every node does everything, in large ones each does one thing, so that they grow
 * and fail apart.
 */
export type NodeRole = 'all' | 'edge' | 'frontend' | 'history' | 'matching' | 'worker'

/** Temporal's names of its services, as `temporal-server start --service` takes them. */
export type TemporalService = 'frontend' | 'internal-frontend' | 'history' | 'matching' | 'worker'

const services: Readonly<Record<NodeRole, readonly TemporalService[]>> = {
  all: ['frontend', 'internal-frontend', 'history', 'matching', 'worker'],
  edge: [],
  // The cell's own workers find internal-frontend by membership: it is wherever the frontend is.
  frontend: ['frontend', 'internal-frontend'],
  history: ['history'],
  matching: ['matching'],
  worker: ['worker'],
}

/** The services of the Temporal server that a node of this role runs: none on a node that is an edge alone. */
export function servicesOf(role: NodeRole): readonly TemporalService[] {
  return services[role]
}

export const nodeRoles = Object.keys(services) as readonly NodeRole[]

/** Whether tenants' connections end here. */
export function hasEdge(role: NodeRole): boolean {
  return role === 'all' || role === 'edge'
}

/** Whether workflows' Nexus operations start here: the history service calls them through the Nexus router of its own node. */
export function hasNexusRouter(role: NodeRole): boolean {
  return services[role].includes('history')
}

/** Whether the cell's API is answered here. */
export function hasFrontend(role: NodeRole): boolean {
  return services[role].includes('frontend')
}
