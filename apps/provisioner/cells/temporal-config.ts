import { nexusCallbackPattern } from '#libs/domain/edges'
import { type CellLimits, cellCacheMs, requestLimits, searchAttributeLimits } from '#libs/domain/namespaces'
import type { NodePorts } from '#libs/domain/nodes'

/** Where a cell keeps its data: two databases that one role owns, and that no other cell's role may enter. */
export interface CellDatabase {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly name: string
  readonly visibilityName: string
}

export interface TemporalConfigInput {
  readonly address: string
  readonly ports: NodePorts
  readonly database: CellDatabase
  /** Can never change after the cell's first start. */
  readonly historyShards: number
  /** DNS name in every node's certificate of this cell: what nodes of the cell expect of each other. */
  readonly serverName: string
}

/** Milliseconds between two looks of the server at its dynamic configuration: the shortest that it allows. */
export const dynamicConfigPollMs = 5_000

/** Files that the configuration names, below the node's folder. */
export const temporalFiles = {
  config: 'config/temporal.json',
  dynamicConfig: 'config/dynamic.json',
  jwks: 'config/jwks.json',
  internodeCa: 'config/internode/ca.pem',
  internodeCertificate: 'config/internode/certificate.pem',
  internodeKey: 'config/internode/key.pem',
} as const

/**
 * Connections to the default and the visibility database, for each service of the process: every service has pools of
 * its own, so that a node holds at most 5 × (8 + 3).
 */
const maxConnections = { default: 8, visibility: 3 }

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
        default: { sql: sqlStore(database, database.name, maxConnections.default) },
        visibility: { sql: sqlStore(database, database.visibilityName, maxConnections.visibility) },
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
            clientCaFiles: [file(temporalFiles.internodeCa)],
          },
          client: { serverName: input.serverName, rootCaFiles: [file(temporalFiles.internodeCa)] },
        },
        refreshInterval: '1m',
      },
      authorization: {
        // Without an interval, a new key would need a restart.
        jwtKeyProvider: { keySourceURIs: [`file://${file(temporalFiles.jwks)}`], refreshInterval: '10s' },
        permissionsClaimName: 'permissions',
        authorizer: 'default',
        claimMapper: 'default',
      },
    },
    services: {
      // Not internal-frontend: its HTTP API has neither an authorizer nor the cell's mutual TLS.
      frontend: service(address, ports.frontend, ports.membershipOffset, ports.frontendHttp),
      'internal-frontend': service(address, ports.internalFrontend, ports.membershipOffset),
      history: service(address, ports.history, ports.membershipOffset),
      matching: service(address, ports.matching, ports.membershipOffset),
      worker: service(address, ports.worker, ports.membershipOffset),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `${address}:${ports.frontend}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
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
 * Settings that the server reads again by itself every five seconds.
 * @param limits of namespaces that differ from what every namespace has, by name.
 */
export function temporalDynamicConfig(limits: Readonly<Record<string, CellLimits>>): unknown {
  const all = (value: unknown): readonly unknown[] => [{ value }]
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
    'frontend.persistenceMaxQPS': all(20_000),
    'matching.persistenceMaxQPS': all(20_000),
    'history.persistenceMaxQPS': all(40_000),
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
  }
}
