import { type NexusRouterOptions, nexusCluster, nexusListener, nexusUpstream, scopeHeader } from './nexus-router.ts'

/**
 * The edge's files, below the node's folder. The agent writes listeners, routes and endpoints, and Envoy watches those;
 * Envoy writes `refusals`, a JSON object a line, and the agent reads it; `admin` is a socket.
 */
export const edgeFiles = {
  admin: 'edge/admin.sock',
  bootstrap: 'edge/bootstrap.json',
  listeners: 'edge/lds.json',
  routes: 'edge/routes.json',
  endpoints: 'edge/eds.json',
  httpEndpoints: 'edge/eds-http.json',
  refusals: 'edge/refusals.jsonl',
} as const

/** The one upstream of the edge: the cell's frontends. */
export const frontendCluster = 'frontends'

/** Streams of HTTP/2 and their buffers, the same towards clients and frontends: a message of 4 MB passes in four turns. */
export const http2Windows = { initial_stream_window_size: 1_048_576, initial_connection_window_size: 16_777_216 }
/** Long polls hold a request each for a minute: Envoy's default of 1,024 would stop a cell at a few hundred workers. */
const unbounded = {
  max_connections: 100_000,
  max_pending_requests: 1_000_000,
  max_requests: 1_000_000,
  max_retries: 1_000,
}
const maxDownstreamConnections = 20_000

export interface EdgeBootstrapOptions {
  readonly nodeId: string
  readonly cellId: string
  /** Absent where no Nexus operations are routed: such an Envoy has no listener for them. */
  readonly nexus?: NexusRouterOptions
  /** No tenants come here: it routes Nexus operations and nothing else. */
  readonly isRouterAlone?: boolean
}

/**
 * The content of `edgeFiles.bootstrap`, with `{dir}` for the node's folder. It holds no secret and never changes in a
 * node's life: listeners, routes and endpoints come from the files beside it. The admin interface is a Unix socket that
 * only the owner can open; its path is relative to the working folder, which is the node's, since such a path may have
 * no more than 107 characters.
 */
export function renderBootstrap(options: EdgeBootstrapOptions): string {
  return `${JSON.stringify(bootstrap(options), undefined, 2)}\n`
}

/**
 * Arguments of Envoy, to be run in the node's folder. A change that must cut connections (a revoked certificate) does
 * so one second after it was taken up: the default is ten minutes. Without hot restart there is no shared memory and no
 * base id that two Envoys of one machine could fight over.
 * @param concurrency worker threads
 */
export function envoyArgs(concurrency: number): readonly string[] {
  return [
    '--config-path',
    `{dir}/${edgeFiles.bootstrap}`,
    '--concurrency',
    String(concurrency),
    '--drain-time-s',
    '1',
    '--drain-strategy',
    'immediate',
    '--disable-hot-restart',
    // What was refused is to be seen soon; a buffer that is full is written at once.
    '--file-flush-interval-msec',
    '500',
    '--log-level',
    'warning',
    // What Envoy says of a file that it cannot read is the file, with its keys and tokens. The statistic
    // `listener_manager.lds.update_rejected` counts these, and the admin socket's `config_dump` says why without them.
    '--component-log-level',
    'config:error',
  ]
}

function bootstrap({ nodeId, cellId, nexus, isRouterAlone = false }: EdgeBootstrapOptions): unknown {
  return {
    node: { id: nodeId, cluster: cellId },
    admin: { address: { pipe: { path: edgeFiles.admin, mode: 0o600 } } },
    dynamic_resources: { lds_config: watchedFile(edgeFiles.listeners) },
    static_resources: {
      ...(nexus === undefined ? {} : { listeners: [nexusListener(nexus, scopedRoutes())] }),
      clusters: [
        ...(isRouterAlone ? [] : [frontends()]),
        ...(nexus === undefined ? [] : [nexusUpstream(nexus, watchedFile(edgeFiles.httpEndpoints))]),
      ],
    },
    // Principals and revoked keys are matched by regular expressions; the default limit of 100 instructions is four ids.
    layered_runtime: {
      layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': 1_000_000 } }],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: maxDownstreamConnections,
          },
        },
      ],
    },
    // No statistics by namespace: they would cost more memory than the chains themselves.
    stats_config: {
      stats_matcher: {
        inclusion_list: {
          patterns: [
            'server.',
            'cluster_manager.',
            'listener_manager.',
            `cluster.${frontendCluster}.`,
            `cluster.${nexusCluster}.`,
            'http.edge.downstream_',
            'http.edge.jwt_authn.',
            'http.edge.rbac.',
          ].map((prefix) => ({ prefix })),
        },
      },
    },
  }
}

/** The same words in every chain, so that all chains share one subscription and one watched file. */
export function scopedRoutes(): Readonly<Record<string, unknown>> {
  return {
    name: 'edge',
    scope_key_builder: { fragments: [{ header_value_extractor: { name: scopeHeader, index: 0 } }] },
    scoped_rds: {
      scoped_rds_config_source: watchedFile(edgeFiles.routes),
    },
  }
}

function watchedFile(path: string): Readonly<Record<string, unknown>> {
  return { resource_api_version: 'V3', path_config_source: { path: `{dir}/${path}` } }
}

function frontends(): unknown {
  return {
    name: frontendCluster,
    type: 'EDS',
    connect_timeout: '2s',
    lb_policy: 'LEAST_REQUEST',
    eds_cluster_config: { eds_config: watchedFile(edgeFiles.endpoints) },
    circuit_breakers: {
      thresholds: ['DEFAULT', 'HIGH'].map((priority) => ({ priority, ...unbounded })),
    },
    // One that drains gets no new calls from the moment that it is not among the endpoints any more; those that it has it keeps.
    ignore_health_on_host_removal: true,
    // Whom nobody can reach is still better than nobody, and nobody else is to be tried while one answers.
    common_lb_config: { healthy_panic_threshold: { value: 1 } },
    // As the server itself says it: one that is told to stop says so before it does.
    health_checks: [
      {
        timeout: '2s',
        interval: '2s',
        no_traffic_interval: '2s',
        unhealthy_interval: '1s',
        unhealthy_threshold: 2,
        healthy_threshold: 1,
        grpc_health_check: { service_name: 'temporal.api.workflowservice.v1.WorkflowService' },
      },
    ],
    // A frontend that takes no connections is left out for a while; what it answers is never held against it.
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 3,
      interval: '1s',
      base_ejection_time: '2s',
      max_ejection_time: '10s',
      max_ejection_percent: 50,
      enforcing_consecutive_5xx: 0,
      enforcing_success_rate: 0,
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: {
          http2_protocol_options: { ...http2Windows, connection_keepalive: { interval: '30s', timeout: '10s' } },
        },
      },
    },
  }
}
