import type { CellSize } from '#libs/domain/cells'
import { edgeFiles, envoyArgs, type NexusSecret, nexusProxyUrl, renderBootstrap } from '#libs/domain/edges'
import type { CellLimits } from '#libs/domain/namespaces'
import {
  type EdgeSource,
  hasEdge,
  hasFrontend,
  hasNexusRouter,
  type NodeFile,
  type NodeManifest,
  type NodePorts,
  type NodeProcess,
  type NodeRole,
  servicesOf,
} from '#libs/domain/nodes'
import {
  type CellCluster,
  type CellDatabase,
  peerFiles,
  temporalConfig,
  temporalDynamicConfig,
  temporalFiles,
} from './temporal-config.ts'

export interface NodeInput {
  readonly nodeId: string
  readonly cellId: string
  readonly generation: number
  readonly address: string
  readonly ports: NodePorts
  readonly role: NodeRole
  /** Of its cell. */
  readonly size: CellSize
  /** Absolute path of temporal-server 1.32.2 or later on the node. */
  readonly temporalServer: string
  readonly database: CellDatabase
  readonly historyShards: number
  readonly cluster: CellCluster
  /** JWKS (JSON) of the keys that sign this cell's tokens. */
  readonly jwks: string
  /** PEM: who this node is towards the cell's other nodes, and the cell's CA, which signs nobody else. */
  readonly internode: {
    /** A DNS name in the certificate, the same on every node of the cell. */
    readonly serverName: string
    /** Leaf first, then the cell's CA. */
    readonly certificate: string
    /** Undefined where the node made it, and has it. */
    readonly key: string | undefined
    readonly ca: string
    /** What every cell's CA is signed by. */
    readonly root: string
    /** CAs of cells that replicate namespaces with this one right now; none for most. */
    readonly peers: readonly string[]
  }
  /** Of namespaces that differ from the cell's defaults, by name. */
  readonly namespaceLimits: Readonly<Record<string, CellLimits>>
  /** What Envoy needs, if the role has one; absent where there is none whatever the role. */
  readonly edge?: NodeEdgeInput
}

export interface NodeEdgeInput {
  /** Base URL of the discovery server. */
  readonly url: string
  /** PEM: what the discovery server is verified with. */
  readonly ca: string
  /** PEM: the node's own certificate chain, leaf first, and its key; undefined where the node made it, and has it. */
  readonly certificate: string
  readonly key: string | undefined
  /** Absolute path of Envoy's own binary, not of a script that starts it. */
  readonly envoy: string
  /** Envoy's worker threads. */
  readonly concurrency: number
  readonly nexusSecret: NexusSecret
}

const edgeSourceFiles = {
  caFile: 'config/edge-source/ca.pem',
  certificateFile: 'config/edge-source/certificate.pem',
  keyFile: 'config/edge-source/key.pem',
} as const

/** Everything that a node of a cell runs, as a pure function of what it is to be. */
export function renderNode(input: NodeInput): NodeManifest {
  const edge = hasEnvoy(input.role) ? input.edge : undefined
  const isServer = servicesOf(input.role).length > 0
  const ownKeyFiles = [
    ...(isServer && input.internode.key === undefined ? [temporalFiles.internodeKey] : []),
    ...(edge !== undefined && edge.key === undefined ? [edgeSourceFiles.keyFile] : []),
  ]
  return {
    nodeId: input.nodeId,
    cellId: input.cellId,
    generation: input.generation,
    address: input.address,
    // An edge alone holds nothing of the cell's servers: no database password, and no way to their ports.
    files: [...(isServer ? temporalFilesOf(input) : []), ...(edge === undefined ? [] : edgeFilesOf(input, edge))],
    ...(ownKeyFiles.length === 0 ? {} : { ownKeyFiles }),
    processes: [
      ...(isServer ? [temporalProcess(input)] : []),
      ...(edge === undefined ? [] : [envoyProcess(input, edge)]),
    ],
    ...(edge === undefined ? {} : { edge: edgeSource(input.role, edge) }),
  }
}

function temporalProcess(input: NodeInput): NodeProcess {
  return {
    name: 'temporal',
    command: input.temporalServer,
    args: [
      '--config-file',
      `{dir}/${temporalFiles.config}`,
      'start',
      ...servicesOf(input.role).flatMap((service) => ['--service', service]),
    ],
    env: temporalEnvironment(input),
    // The client side of internode TLS keeps the CA that it began with. All else it reads again: certificates and keys
    // every minute, key sets every ten seconds, dynamic configuration every five.
    restartOn: [temporalFiles.config, temporalFiles.internodeCa],
    readyPort: readyPort(input),
    stopMs: 30_000,
  }
}

/** Of the service that is up last, or else of the only one. */
function readyPort({ role, ports }: NodeInput): number {
  if (hasFrontend(role)) return ports.frontend
  return role === 'history' || role === 'matching' ? ports[role] : ports.worker
}

/** Envoy is where tenants come, and where the history service's own calls go. */
function hasEnvoy(role: NodeRole): boolean {
  return hasEdge(role) || hasNexusRouter(role)
}

/**
 * Whatever the server asks over HTTP, which is Nexus operations and their completions alone, it asks of the node's own
 * Envoy. Only the history service asks anything. The URLs that it knows are the same on every node; what stands behind them is for Envoy to say.
 */
function temporalEnvironment({ address, ports, role, edge }: NodeInput): Readonly<Record<string, string>> {
  return edge === undefined || !hasNexusRouter(role)
    ? {}
    : { HTTP_PROXY: nexusProxyUrl(edge.nexusSecret, address, ports.nexus) }
}

function temporalFilesOf(input: NodeInput): readonly NodeFile[] {
  const { address, ports, database, historyShards, internode, cluster, role } = input
  const { serverName } = internode
  const config = temporalConfig({ address, ports, database, historyShards, role, serverName, cluster })
  return [
    // The database's password is in it.
    secret(temporalFiles.config, json(config)),
    plain(temporalFiles.dynamicConfig, json(temporalDynamicConfig(input.size, input.namespaceLimits))),
    plain(temporalFiles.jwks, input.jwks),
    plain(temporalFiles.internodeCa, internode.ca),
    ...peerFiles.map((path, slot) => plain(path, peerAt(internode, slot))),
    plain(temporalFiles.internodeRoot, internode.root),
    plain(temporalFiles.internodeCertificate, internode.certificate),
    ...key(temporalFiles.internodeKey, internode.key),
  ]
}

function envoyProcess(input: NodeInput, edge: NodeEdgeInput): NodeProcess {
  return {
    name: 'envoy',
    command: edge.envoy,
    args: envoyArgs(edge.concurrency),
    env: {},
    restartOn: [edgeFiles.bootstrap],
    // It listens from the moment that it has a configuration: the first one, or the last good one.
    readyPort: hasEdge(input.role) ? input.ports.edge : input.ports.nexus,
    stopMs: 5_000,
  }
}

function edgeFilesOf(input: NodeInput, edge: NodeEdgeInput): readonly NodeFile[] {
  const { nodeId, cellId, address, ports, role } = input
  const own = hasFrontend(role) ? { frontendHttpPort: ports.frontendHttp } : {}
  const nexus = hasNexusRouter(role) ? { nexus: { address, port: ports.nexus, ...own } } : {}
  return [
    plain(edgeFiles.bootstrap, renderBootstrap({ nodeId, cellId, ...nexus, isRouterAlone: !hasEdge(role) })),
    plain(edgeSourceFiles.caFile, edge.ca),
    plain(edgeSourceFiles.certificateFile, edge.certificate),
    ...key(edgeSourceFiles.keyFile, edge.key),
  ]
}

function edgeSource(role: NodeRole, edge: NodeEdgeInput): EdgeSource {
  return { ...(hasEdge(role) ? {} : { serves: 'router' }), url: edge.url, ...edgeSourceFiles }
}

/** Never empty, which the server would take for a mistake: the cell trusts its own anyway. */
function peerAt({ ca, peers }: NodeInput['internode'], slot: number): string {
  const isLast = slot === peerFiles.length - 1
  return (isLast ? peers.slice(slot).join('') : peers[slot]) || ca
}

function key(path: string, content: string | undefined): readonly NodeFile[] {
  return content === undefined ? [] : [secret(path, content)]
}

function plain(path: string, content: string): NodeFile {
  return { path, content, secret: false }
}

function secret(path: string, content: string): NodeFile {
  return { path, content, secret: true }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
