import { edgeFiles, envoyArgs, renderBootstrap } from '#libs/domain/edges'
import type { NodeFile, NodeProcess } from '#libs/domain/nodes'
import type { NodePorts } from './ports.ts'

export interface EdgeProcessInput {
  readonly nodeId: string
  readonly cellId: string
  readonly ports: NodePorts
  /** Absolute path of Envoy on the node. */
  readonly envoy: string
  /** Worker threads of Envoy. */
  readonly concurrency: number
}

/** Envoy on a node: its process, and the files that it starts from. What it serves comes from the discovery server. */
export function renderEdgeProcess(input: EdgeProcessInput): {
  readonly process: NodeProcess
  readonly files: readonly NodeFile[]
} {
  const { nodeId, cellId } = input
  return {
    process: {
      name: 'envoy',
      command: input.envoy,
      args: envoyArgs(input.concurrency),
      env: {},
      restartOn: [edgeFiles.bootstrap],
      readyPort: input.ports.edge,
      stopMs: 5_000,
    },
    files: [{ path: edgeFiles.bootstrap, content: renderBootstrap({ nodeId, cellId }), secret: false }],
  }
}
