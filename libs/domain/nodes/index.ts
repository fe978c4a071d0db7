export type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from './manifest.ts'
export type { NodeProcessStatus, NodeStatus } from './status.ts'
export { allPorts, type NodePorts, nodePorts } from './ports.ts'
