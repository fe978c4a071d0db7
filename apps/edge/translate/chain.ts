import { createHash } from 'node:crypto'
import { type EdgeNamespace, http2Windows, scopedRoutes } from '#libs/domain/edges'
import { tokenFilter } from './api-keys.ts'
import { certificateFilterFilter } from './certificate-filters.ts'
import { downstreamTls } from './downstream-tls.ts'
import { earlyHeaders } from './early-headers.ts'
import { any, extension, type Proto } from './envoy.ts'
import { privateLinkFilter } from './private-links.ts'
import { callerFilter, callRefusalLog } from './refusal-log.ts'
import type { SharedEdge } from './shared-edge.ts'

/** One connection carries a client's pollers and calls; SDKs open a few. */
const maxConcurrentStreams = 1_000
/** So that one namespace cannot use up the connections of the whole edge. */
const maxConnections = 5_000

export interface NamespaceChains {
  /** `<namespace>@<hash>`: names the chain and its routes. */
  readonly scope: string
  /** On the public listener; undefined when it is not served there. */
  readonly publicChain?: Proto
  /** On the private listener; undefined when it is not served there. */
  readonly privateChain?: Proto
}

/**
 * The filter chains of one namespace, one a listener that serves it. Envoy closes the connections of a chain that
 * changed, and of no other; so whatever must cut open connections is in here or in the hash (revoked keys, suspension),
 * and whatever may change at any time without one being cut (tokens, roles, generation) is in the routes, which both
 * chains share. Where the namespace is served is in the hash: the new generation is then told by new chains alone.
 * @throws RangeError for a private link that is none.
 */
export function namespaceChains(namespace: EdgeNamespace, shared: SharedEdge): NamespaceChains {
  const { isPublic, privateLinks } = namespace.reach ?? { isPublic: true, privateLinks: [] }
  const cuts = [[...namespace.revokedKeyIds].sort(), [...namespace.revokedFingerprints].sort(), namespace.suspended]
  // A rule that says what would hold without any changes nothing.
  const reach = isPublic && privateLinks.length === 0 ? [] : [{ isPublic, privateLinks }]
  const content = JSON.stringify([buildChain(namespace, shared, ''), cuts, ...reach])
  const scope = `${namespace.id}@${createHash('sha256').update(content).digest('hex').slice(0, 16)}`
  const chain = buildChain(namespace, shared, scope)
  if (privateLinks.length === 0) return { scope, ...(isPublic ? { publicChain: chain } : {}) }
  // Before everything else, so that a stranger does not count towards the limit of connections.
  const privateChain = { ...chain, filters: [privateLinkFilter(privateLinks), ...chain.filters] }
  return { scope, privateChain, ...(isPublic ? { publicChain: chain } : {}) }
}

/** A chain that no client reaches: Envoy takes no listener without one, and a cell begins without namespaces. */
export function closedChain(): Proto {
  return {
    name: 'closed',
    filter_chain_match: { server_names: ['closed.invalid'], transport_protocol: 'tls' },
    filters: [
      extension(
        'envoy.filters.network.direct_response',
        'envoy.extensions.filters.network.direct_response.v3.Config',
        {},
      ),
    ],
  }
}

function buildChain(
  namespace: EdgeNamespace,
  shared: SharedEdge,
  scope: string,
): Proto & { readonly filters: readonly Proto[] } {
  return {
    name: namespace.id,
    filter_chain_match: { server_names: [namespace.hostname], transport_protocol: 'tls' },
    transport_socket: downstreamTls(namespace),
    transport_socket_connect_timeout: '10s',
    filters: [
      extension(
        'envoy.filters.network.connection_limit',
        'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit',
        { stat_prefix: 'edge', max_connections: maxConnections },
      ),
      {
        name: 'envoy.filters.network.http_connection_manager',
        typed_config: connectionManager(namespace, shared, scope),
      },
    ],
  }
}

function connectionManager(namespace: EdgeNamespace, shared: SharedEdge, scope: string): Proto {
  const filters = namespace.clientCa?.filters ?? []
  return any('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    // The same for all: see the bootstrap on statistics.
    stat_prefix: 'edge',
    codec_type: 'HTTP2',
    early_header_mutation_extensions: [earlyHeaders(scope, namespace.clientCa !== undefined)],
    forward_client_cert_details: 'SANITIZE',
    use_remote_address: true,
    skip_xff_append: true,
    generate_request_id: false,
    server_header_transformation: 'PASS_THROUGH',
    // A path is matched as it was written; one that would have to be mended first matches nothing.
    normalize_path: false,
    merge_slashes: false,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    http2_protocol_options: {
      max_concurrent_streams: maxConcurrentStreams,
      ...http2Windows,
      connection_keepalive: { interval: '30s', timeout: '10s' },
    },
    // Long polls: a dead client is found by the pings above, a slow one by nothing else than the header timeout.
    stream_idle_timeout: '0s',
    request_timeout: '0s',
    request_headers_timeout: '10s',
    // Strangers without a call must not hold the edge's connections. A worker that polls is never idle, and who is told
    // to go away after this connects anew with the next call.
    common_http_protocol_options: { idle_timeout: '300s' },
    access_log: [callRefusalLog(namespace.id)],
    scoped_routes: scopedRoutes(),
    ...(filters.length === 0 ? {} : { local_reply_config: filterReply() }),
    http_filters: [
      tokenFilter(namespace, shared),
      ...(namespace.apiKeysEnabled ? [callerFilter()] : []),
      ...(filters.length === 0 ? [] : [certificateFilterFilter(filters)]),
      extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router', {
        suppress_envoy_headers: true,
      }),
    ],
  })
}

/** Says what is wrong, where Envoy's own words are "RBAC: access denied". */
function filterReply(): Proto {
  return {
    mappers: [
      {
        filter: {
          extension_filter: extension(
            'envoy.access_loggers.extension_filters.cel',
            'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
            { expression: "response.code_details.startsWith('rbac_access_denied')" },
          ),
        },
        body: { inline_string: 'the client certificate matches none of the certificate filters of this namespace' },
      },
    ],
  }
}
