export type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from './manifest.ts'
export { allPorts, type NodePorts, nodePorts } from './ports.ts'
export { type NodeNotice, type NodeReport, reportSeconds, reportTextBound } from './report.ts'
export {
  hasEdge,
  hasFrontend,
  hasNexusRouter,
  type NodeRole,
  nodeRoles,
  servicesOf,
  type TemporalService,
} from './role.ts'
export type { NodeProcessStatus, NodeStatus } from './status.ts'
export { type NodeTemplate, templateHash } from './template.ts'
