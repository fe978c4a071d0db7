import { type CellSize, slotsOf } from '#libs/domain/cells'
import { nexusCallbackPattern } from '#libs/domain/edges'
import { type CellLimits, cellCacheMs, requestLimits, searchAttributeLimits } from '#libs/domain/namespaces'
import { type NodePorts, type NodeRole, servicesOf, type TemporalService } from '#libs/domain/nodes'

/** Where a cell keeps its data: two databases that one role owns, and that no other cell's role may enter. */
export interface CellDatabase {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly name: string
  readonly visibilityName: string
  /** Of the CAs that the server is verified with: the same absolute path here and on every node. Absent: no TLS. */
  readonly caFile?: string
}

export interface TemporalConfigInput {
  readonly address: string
  readonly ports: NodePorts
  readonly database: CellDatabase
  /** Can never change after the cell's first start. */
  readonly historyShards: number
  readonly role: NodeRole
  /** DNS name in every node's certificate of this cell: what nodes of the cell expect of each other. */
  readonly serverName: string
  /** Who the cell is towards other cells. */
  readonly cluster: CellCluster
}

export interface CellCluster {
  /** Can never change after the cell's first start. */
  readonly name: string
  /** Unique among all cells: tells whose write a replicated one was. */
  readonly failoverVersion: number
}

/** What the cells of versions before replication call themselves: nothing can be replicated between two of one name. */
const legacyClusterName = 'active'
/** The same for all cells, for ever. The failover version of each is below it, so many cells there can be. */
const failoverVersionIncrement = 1_000_000
/** In every node's certificate: what a node of one cell expects of a node of another. */
export const anyCellName = 'any-cell.internode.aqueduct.internal'

/** Milliseconds between two looks of the server at its dynamic configuration: the shortest that it allows. */
export const dynamicConfigPollMs = 5_000

/** Files that the configuration names, below the node's folder. */
export const temporalFiles = {
  config: 'config/temporal.json',
  dynamicConfig: 'config/dynamic.json',
  jwks: 'config/jwks.json',
  internodeCa: 'config/internode/ca.pem',
  internodeRoot: 'config/internode/root.pem',
  internodeCertificate: 'config/internode/certificate.pem',
  internodeKey: 'config/internode/key.pem',
} as const

/**
 * CAs of other cells that are let in, one a file: of a file that has changed, the server looks at the first certificate alone
 * to see whether it has (parseCert in common/rpc/encryption of 1.32). More cells than files share the last one.
 */
export const peerFiles: readonly string[] = Array.from({ length: 8 }, (_, slot) => `config/internode/peers/${slot}.pem`)

/**
 * Connections to the default and the visibility database, for each service of the process: every service has pools of
 * its own. A node that does everything holds at most 5 × (8 + 3); in a standard cell, history has the most to say, and all
 * twelve nodes together hold at most 148.
 */
const maxConnections: Readonly<Record<NodeRole, { readonly default: number; readonly visibility: number }>> = {
  all: { default: 8, visibility: 3 },
  history: { default: 16, visibility: 4 },
  matching: { default: 12, visibility: 2 },
  frontend: { default: 8, visibility: 4 },
  worker: { default: 4, visibility: 2 },
  edge: { default: 0, visibility: 0 },
}

/**
 * Headers that a workflow may not give its Nexus operations, since they would stand in the place of the server's own: all
 * that the server itself refuses, and those of the protocol.
 */
const nexusHeaders = [
  'request-timeout',
  'xdc-redirection-api',
  'xdc-redirection-source-cell',
  'xdc-redirection',
  'caller-name',
  'caller-type',
  'call-initiation',
  'temporal-principal-type',
  'temporal-principal-name',
  'nexus-link',
  'nexus-operation-token',
  'nexus-request-id',
  'nexus-callback-temporal-callback-token',
  'proxy-authorization',
]

/** The server's static configuration: JSON, which is YAML. Its field names are Temporal's (common/config/config.go). */
export function temporalConfig(input: TemporalConfigInput): unknown {
  const { address, ports, database } = input
  const file = (path: string): string => `{dir}/${path}`
  return {
    log: { stdout: true, level: 'info' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: input.historyShards,
      datastores: {
        default: { sql: sqlStore(database, database.name, maxConnections[input.role].default) },
        visibility: { sql: sqlStore(database, database.visibilityName, maxConnections[input.role].visibility) },
      },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: address },
      metrics: {
        prometheus: { framework: 'tally', timerType: 'histogram', listenAddress: `${address}:${ports.metrics}` },
      },
      tls: {
        // History, matching and internal-frontend are reachable by whoever shares the machine or the network, and the
        // last one has no authorizer: only who holds a certificate of this cell's own CA gets in.
        internode: {
          server: {
            certFile: file(temporalFiles.internodeCertificate),
            keyFile: file(temporalFiles.internodeKey),
            requireClientAuth: true,
            // Besides its own, the cells that replicate namespaces with this one right now.
            clientCaFiles: [temporalFiles.internodeCa, ...peerFiles].map(file),
          },
          client: { serverName: input.serverName, rootCaFiles: [file(temporalFiles.internodeCa)] },
        },
        // Towards another cell: its internal-frontend, which alone answers without a token of its own.
        remoteClusters: {
          '*': {
            server: {
              certFile: file(temporalFiles.internodeCertificate),
              keyFile: file(temporalFiles.internodeKey),
              requireClientAuth: true,
            },
            client: { serverName: anyCellName, rootCaFiles: [file(temporalFiles.internodeRoot)] },
          },
        },
        // A move begins once both cells have read whom they trust.
        refreshInterval: '10s',
      },
      authorization: {
        // Without an interval, a new key would need a restart.
        jwtKeyProvider: { keySourceURIs: [`file://${file(temporalFiles.jwks)}`], refreshInterval: '10s' },
        permissionsClaimName: 'permissions',
        authorizer: 'default',
        claimMapper: 'default',
      },
    },
    // All of them on every node, whichever it runs: that is how each knows on which ports the others are. Which nodes they are on
    // they find in the cell's own database.
    services: {
      // Not internal-frontend: its HTTP API has neither an authorizer nor the cell's mutual TLS.
      frontend: service(address, ports.frontend, ports.membershipOffset, ports.frontendHttp),
      'internal-frontend': service(address, ports.internalFrontend, ports.membershipOffset),
      history: service(address, ports.history, ports.membershipOffset),
      matching: service(address, ports.matching, ports.membershipOffset),
      worker: service(address, ports.worker, ports.membershipOffset),
    },
    clusterMetadata: clusterMetadata(input.cluster, `${address}:${ports.frontend}`),
    // A namespace that has moved is still asked for here, until everybody has heard of it: such calls go on to its cell, after
    // this cell's authorizer has let them in.
    dcRedirectionPolicy: { policy: 'all-apis-forwarding' },
    archival: {
      history: { state: 'disabled', enableRead: false },
      visibility: { state: 'disabled', enableRead: false },
    },
    namespaceDefaults: {
      archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
    },
    dynamicConfigClient: {
      filepath: file(temporalFiles.dynamicConfig),
      pollInterval: `${dynamicConfigPollMs / 1000}s`,
    },
    // As many as there are columns: see visibility-columns.ts, which makes them before a server with this setting starts.
    visibility: { persistenceCustomSearchAttributes: searchAttributeLimits },
  }
}

/**
 * How a node leaves a cell that goes on without it: it says so, gives others the time to hear of it, and then lets go. The
 * only node of a cell has nobody to wait for.
 */
const leaving = {
  // Edges look every two seconds.
  'frontend.shutdownFailHealthCheckDuration': [{ value: '3s' }],
  'frontend.shutdownDrainDuration': [{ value: '3s' }],
  // What the others do not ask any more by then, they ask elsewhere.
  'history.shutdownDrainDuration': [{ value: '1s' }],
  'matching.shutdownDrainDuration': [{ value: '1s' }],
}

/**
 * Settings that the server reads again by itself every five seconds.
 * @param limits of namespaces that differ from what every namespace has, by name.
 */
export function temporalDynamicConfig(size: CellSize, limits: Readonly<Record<string, CellLimits>>): unknown {
  const all = (value: unknown): readonly unknown[] => [{ value }]
  // Of one host, so that all together ask no more of the database than one would that did everything.
  const share = (total: number, service: TemporalService): readonly unknown[] => {
    const hosts = slotsOf(size).filter(({ role }) => servicesOf(role).includes(service)).length
    return all(Math.ceil(total / hosts))
  }
  const onDemand = requestLimits(undefined)
  const each = (pick: (limit: CellLimits) => unknown): readonly unknown[] =>
    Object.entries(limits)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([namespace, limit]) => {
        const value = pick(limit)
        return value === undefined ? [] : [{ value, constraints: { namespace } }]
      })
  return {
    // CVE-2025-14986, CVE-2025-14987, CVE-2026-5199: commands must not reach other namespaces.
    'system.enableCrossNamespaceCommands': all(false),
    // Off by default: anybody who reaches a membership port could join the cell, or tear it apart. Read at start alone.
    'system.enableRingpopTLS': all(true),
    // The default of 20 a second would make a hundred namespaces that are created at once wait for each other.
    'frontend.rps.namespaceReplicationInducingAPIs': all(500),
    // All namespaces of the cell together: 2,400 by default, less than one busy namespace may have.
    'frontend.rps': all(20_000),
    // Of a host's calls to the database, all namespaces together: 2,000, 3,000 and 9,000 by default, which one namespace at its
    // own limit could take from all the others.
    'frontend.persistenceMaxQPS': share(20_000, 'frontend'),
    'matching.persistenceMaxQPS': share(20_000, 'matching'),
    'history.persistenceMaxQPS': share(40_000, 'history'),
    ...(slotsOf(size).length === 1 ? {} : leaving),
    // 10 a second by default: a cell of a thousand namespaces would need 100 s after a restart.
    'worker.perNamespaceWorkerStartRate': all(100),
    // Who calls: the edge's Nexus router reads it, and puts the callback's address in its place. It is made by the
    // server, of the calling workflow's own namespace.
    'component.nexusoperations.callback.endpoint.template': all('{{.NamespaceName}}'),
    'nexusoperation.callback.endpoint.template': all('{{.NamespaceName}}'),
    // Completions go the same way back, and nowhere else.
    'callback.allowedAddresses': all([{ Pattern: nexusCallbackPattern, AllowInsecure: true }]),
    'component.nexusoperations.disallowedHeaders': all(nexusHeaders),
    'nexusoperation.disallowedHeaders': all(nexusHeaders),
    // One workflow may have all the attributes that its namespace has; 100 by default.
    'frontend.searchAttributesNumberOfKeysLimit': all(sumOf(searchAttributeLimits)),
    // A minute by default: how long every move would wait until the two cells know each other.
    'system.clusterMetadataRefreshInterval': all('5s'),
    'system.namespaceCacheRefreshInterval': all(`${cellCacheMs / 1000}s`),
    // Of every namespace, over all nodes: nobody can take the cell from the others.
    'frontend.globalNamespaceRPS': [...all(onDemand.requestsPerSecond), ...each((limit) => limit.requestsPerSecond)],
    'frontend.globalNamespaceRPS.visibility': [
      ...all(onDemand.visibilityRequestsPerSecond),
      ...each((limit) => limit.visibilityRequestsPerSecond),
    ],
    'matching.enableFairness': each((limit) => limit.fairness),
  }
}

function clusterMetadata({ name, failoverVersion }: CellCluster, rpcAddress: string): unknown {
  const isLegacy = name === legacyClusterName
  return {
    enableGlobalNamespace: !isLegacy,
    failoverVersionIncrement: isLegacy ? 10 : failoverVersionIncrement,
    masterClusterName: name,
    currentClusterName: name,
    clusterInformation: {
      [name]: {
        enabled: true,
        initialFailoverVersion: isLegacy ? 1 : failoverVersion,
        rpcName: 'frontend',
        rpcAddress,
      },
    },
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}

function service(address: string, port: number, membershipOffset: number, httpPort?: number): unknown {
  return {
    rpc: {
      grpcPort: port,
      membershipPort: port + membershipOffset,
      bindOnIP: address,
      ...(httpPort === undefined ? {} : { httpPort }),
    },
  }
}

function sqlStore(database: CellDatabase, name: string, connections: number): unknown {
  return {
    pluginName: 'postgres12_pgx',
    databaseName: name,
    connectAddr: `${database.host}:${database.port}`,
    connectProtocol: 'tcp',
    user: database.user,
    password: database.password,
    maxConns: connections,
    maxIdleConns: Math.min(connections, 4),
    maxConnLifetime: '1h',
    ...(database.caFile !== undefined && {
      tls: { enabled: true, caFile: database.caFile, enableHostVerification: true, serverName: database.host },
    }),
  }
}
