export type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from './manifest.ts'
export type { NodeProcessStatus, NodeStatus } from './status.ts'
