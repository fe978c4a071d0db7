/** What a node agent says about itself, in `status.json` in the node's folder: replaced as a whole at every change. */
export interface NodeStatus {
  readonly nodeId: string
  readonly cellId: string
  readonly address: string
  /** Of the manifest that the agent took last: its files are written, and `state` is about its processes. */
  readonly generation: number
  readonly state: 'starting' | 'ready' | 'failed' | 'stopped'
  /** For a person: what is not ready, why, and which log tells more. Empty when all is well. */
  readonly detail: string
  readonly processes: readonly NodeProcessStatus[]
  /** ISO 8601. */
  readonly updatedAt: string
}

export interface NodeProcessStatus {
  readonly name: string
  /** `backoff`: it died, and the agent waits before it starts it again. */
  readonly state: 'starting' | 'ready' | 'backoff' | 'stopping' | 'stopped'
  readonly pid?: number
  /** How often this agent had to start it again because it died. */
  readonly restarts: number
  /** ISO 8601: since when it is in this state. */
  readonly since: string
  readonly detail: string
}
