import { edgeFiles, envoyArgs, type NexusSecret, nexusProxyUrl, renderBootstrap } from '#libs/domain/edges'
import type { CellLimits } from '#libs/domain/namespaces'
import type { EdgeSource, NodeFile, NodeManifest, NodePorts, NodeProcess } from '#libs/domain/nodes'
import { type CellDatabase, temporalConfig, temporalDynamicConfig, temporalFiles } from './temporal-config.ts'

export interface NodeInput {
  readonly nodeId: string
  readonly cellId: string
  readonly generation: number
  readonly address: string
  readonly ports: NodePorts
  /** Absolute path of temporal-server 1.32.2 or later on the node. */
  readonly temporalServer: string
  readonly database: CellDatabase
  readonly historyShards: number
  /** JWKS (JSON) of the keys that sign this cell's tokens. */
  readonly jwks: string
  /** PEM: who this node is towards the cell's other nodes, and the cell's CA, which signs nobody else. */
  readonly internode: {
    /** A DNS name in the certificate, the same on every node of the cell. */
    readonly serverName: string
    readonly certificate: string
    readonly key: string
    readonly ca: string
  }
  /** Of namespaces that differ from the cell's defaults, by name. */
  readonly namespaceLimits: Readonly<Record<string, CellLimits>>
  /** Absent on nodes that carry no edge. */
  readonly edge?: NodeEdgeInput
}

export interface NodeEdgeInput {
  /** Base URL of the discovery server. */
  readonly url: string
  /** PEM: what the discovery server is verified with. */
  readonly ca: string
  /** PEM: the node's own certificate chain, leaf first, and its key. */
  readonly certificate: string
  readonly key: string
  /** Absolute path of Envoy's own binary, not of a script that starts it. */
  readonly envoy: string
  /** Envoy's worker threads. */
  readonly concurrency: number
  readonly nexusSecret: NexusSecret
}

const temporalServices = ['frontend', 'internal-frontend', 'history', 'matching', 'worker'] as const

const edgeSourceFiles = {
  caFile: 'config/edge-source/ca.pem',
  certificateFile: 'config/edge-source/certificate.pem',
  keyFile: 'config/edge-source/key.pem',
} as const

/** Everything that a node of a cell runs, as a pure function of what it is to be. */
export function renderNode(input: NodeInput): NodeManifest {
  const { edge } = input
  const temporal = temporalFilesOf(input)
  return {
    nodeId: input.nodeId,
    cellId: input.cellId,
    generation: input.generation,
    address: input.address,
    files: [...temporal, ...(edge === undefined ? [] : edgeFilesOf(input, edge))],
    processes: [temporalProcess(input), ...(edge === undefined ? [] : [envoyProcess(input, edge)])],
    ...(edge === undefined ? {} : { edge: edgeSource(edge) }),
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
      ...temporalServices.flatMap((service) => ['--service', service]),
    ],
    env: temporalEnvironment(input),
    // The client side of internode TLS keeps the CA that it began with. All else it reads again: certificates and keys
    // every minute, key sets every ten seconds, dynamic configuration every five.
    restartOn: [temporalFiles.config, temporalFiles.internodeCa],
    readyPort: input.ports.frontend,
    stopMs: 15_000,
  }
}

/**
 * Whatever the server asks over HTTP, which is Nexus operations and their completions alone, it asks of the node's own
 * Envoy. The URLs that it knows are the same on every node; what stands behind them is for Envoy to say.
 */
function temporalEnvironment({ address, ports, edge }: NodeInput): Readonly<Record<string, string>> {
  return edge === undefined ? {} : { HTTP_PROXY: nexusProxyUrl(edge.nexusSecret, address, ports.nexus) }
}

function temporalFilesOf(input: NodeInput): readonly NodeFile[] {
  const { address, ports, database, historyShards, internode } = input
  const config = temporalConfig({ address, ports, database, historyShards, serverName: internode.serverName })
  return [
    // The database's password is in it.
    secret(temporalFiles.config, json(config)),
    plain(temporalFiles.dynamicConfig, json(temporalDynamicConfig(input.namespaceLimits))),
    plain(temporalFiles.jwks, input.jwks),
    plain(temporalFiles.internodeCa, internode.ca),
    plain(temporalFiles.internodeCertificate, internode.certificate),
    secret(temporalFiles.internodeKey, internode.key),
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
    readyPort: input.ports.edge,
    stopMs: 5_000,
  }
}

function edgeFilesOf({ nodeId, cellId, address, ports }: NodeInput, edge: NodeEdgeInput): readonly NodeFile[] {
  const nexus = { address, port: ports.nexus, frontendHttpPort: ports.frontendHttp }
  return [
    plain(edgeFiles.bootstrap, renderBootstrap({ nodeId, cellId, nexus })),
    plain(edgeSourceFiles.caFile, edge.ca),
    plain(edgeSourceFiles.certificateFile, edge.certificate),
    secret(edgeSourceFiles.keyFile, edge.key),
  ]
}

function edgeSource(edge: NodeEdgeInput): EdgeSource {
  return { url: edge.url, ...edgeSourceFiles }
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
