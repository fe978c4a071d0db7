export type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from './manifest.ts'
export { allPorts, type NodePorts, nodePorts } from './ports.ts'
export type { NodeProcessStatus, NodeStatus } from './status.ts'
