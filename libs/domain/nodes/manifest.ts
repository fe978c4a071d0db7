/**
 * Everything that a node needs to do its work, the same on every driver: the provisioner renders it, a driver carries
 * it to the node, and the node agent (`apps/node`) acts on it without asking anybody.
 */
export interface NodeManifest {
  readonly nodeId: string
  readonly cellId: string
  /** Bumped on every change of intent; an agent ignores a manifest older than the one that it has. */
  readonly generation: number
  /** The address that every process of the node listens on, and nothing else. */
  readonly address: string
  /** Written below the node's folder before any process starts. Paths are relative and never leave the folder. */
  readonly files: readonly NodeFile[]
  /**
   * Where the agent writes the key that it made itself and that nobody else has ever had: PKCS#8 PEM, readable by the owner
   * alone. Paths are as those of `files`, and none is among them. Absent where the provisioner made the node's key.
   */
  readonly ownKeyFiles?: readonly string[]
  /** Started in this order, each when the one before is ready; stopped in the opposite order. */
  readonly processes: readonly NodeProcess[]
  /** Where the agent fetches its Envoy's configuration; absent on nodes that have none. */
  readonly edge?: EdgeSource
}

export interface NodeFile {
  readonly path: string
  /** `{dir}` stands for the node's folder. */
  readonly content: string
  /** Holds a key, a password or a token: readable by the owner alone (0600), and never logged. */
  readonly secret: boolean
}

export interface NodeProcess {
  /** Names the log file and the pid file: `temporal`, `envoy`. */
  readonly name: string
  readonly command: string
  /** `{dir}` stands for the node's folder. */
  readonly args: readonly string[]
  /** `{dir}` stands for the node's folder. */
  readonly env: Readonly<Record<string, string>>
  /**
   * Paths of files whose change restarts the process. Files that it reads again by itself (Temporal's dynamic
   * configuration, key sets, certificates; whatever Envoy watches) are left out.
   */
  readonly restartOn: readonly string[]
  /** Ready when a TCP connection to the node's address on this port is accepted. */
  readonly readyPort: number
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly stopMs: number
}

export interface EdgeSource {
  /** No tenants come here, and the node gets none of their keys: it routes its own history service's Nexus operations. Absent on edges. */
  readonly serves?: 'router'
  /** Base URL of the discovery server: `https://127.0.0.1:7095`. */
  readonly url: string
  /** Paths below the node's folder: what the server is verified with, and who the node says it is. */
  readonly caFile: string
  readonly certificateFile: string
  readonly keyFile: string
}
