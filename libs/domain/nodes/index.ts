export type { EdgeSource, NodeFile, NodeManifest, NodeProcess } from './manifest.ts'
