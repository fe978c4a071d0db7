/** The upstream of the Nexus router: the HTTP port of a frontend. */
export const nexusCluster = 'frontend-http'
/** The name of the router's routes among the scoped ones, and the value of `scopeHeader` that selects them. */
export const nexusScope = 'nexus'
/** Selects the scoped routes of a request. Envoy sets it itself, over whatever a request brings. */
export const scopeHeader = 'x-aqueduct-scope'
/** The header that carries the operation's token when it is cancelled. */
export const operationTokenHeader = 'nexus-operation-token'
/** The namespace in whose place a route's Lua metadata stand. */
export const luaMetadata = 'envoy.filters.http.lua'

export interface NexusRouterOptions {
  /** The node's. */
  readonly address: string
  /** TCP port of the router. */
  readonly port: number
  /** Of the node's own frontend's HTTP API. Absent where there is none: then those of all frontends, from a watched file. */
  readonly frontendHttpPort?: number
}

/**
 * The listener through which a cell's history service calls Nexus operations and completes them: HTTP/1.1, in the clear,
 * on the node's address. What it forwards, and to whom, is in its routes alone, which are deny by default; without the
 * cell's password none of them answers.
 * @param scopedRoutes where Envoy finds the routes, in the words of every other chain
 */
export function nexusListener(options: NexusRouterOptions, scopedRoutes: unknown): unknown {
  return {
    name: 'nexus',
    address: { socket_address: { address: options.address, port_value: options.port } },
    filter_chains: [
      {
        filters: [
          { name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager(scopedRoutes) },
        ],
      },
    ],
  }
}

/** @param frontends where Envoy finds the endpoints of all frontends */
export function nexusUpstream({ address, frontendHttpPort }: NexusRouterOptions, frontends: unknown): unknown {
  const own = { socket_address: { address, port_value: frontendHttpPort } }
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: own } }] }]
  return {
    name: nexusCluster,
    ...(frontendHttpPort === undefined
      ? { type: 'EDS', lb_policy: 'LEAST_REQUEST', eds_cluster_config: { eds_config: frontends } }
      : { type: 'STATIC', load_assignment: { cluster_name: nexusCluster, endpoints } }),
    connect_timeout: '2s',
    circuit_breakers: {
      thresholds: [{ max_connections: 10_000, max_pending_requests: 100_000, max_requests: 100_000 }],
    },
  }
}

/** What a workflow's author may have written as a header, and the frontend or we would believe. */
const believed =
  'x-aqueduct-.*|x-principal|x-envoy-.*|x-forwarded-.*|forwarded|authorization|authorization-extras|temporal-principal-.*|' +
  'xdc-.*|caller-name|caller-type|call-initiation|temporal-experiment'

function connectionManager(scopedRoutes: unknown): unknown {
  return {
    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'nexus',
    codec_type: 'HTTP1',
    early_header_mutation_extensions: [
      {
        name: 'aqueduct.early_headers',
        typed_config: {
          '@type': type('http.early_header_mutation.header_mutation.v3.HeaderMutation'),
          mutations: [
            { remove_on_match: { key_matcher: { safe_regex: { regex: believed } } } },
            {
              append: {
                header: { key: scopeHeader, value: nexusScope },
                append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
              },
            },
          ],
        },
      },
    ],
    use_remote_address: true,
    skip_xff_append: true,
    generate_request_id: false,
    server_header_transformation: 'PASS_THROUGH',
    // A service or an operation may be named anything: its encoding goes on as it came.
    normalize_path: false,
    merge_slashes: false,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    stream_idle_timeout: '0s',
    request_timeout: '0s',
    request_headers_timeout: '10s',
    scoped_routes: scopedRoutes,
    http_filters: [
      {
        name: luaMetadata,
        typed_config: {
          '@type': type('filters.http.lua.v3.Lua'),
          default_source_code: { inline_string: script },
          // The route was chosen by what the request says; what the script makes of it must choose no other.
          clear_route_cache: false,
        },
      },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': type('filters.http.router.v3.Router'), suppress_envoy_headers: true },
      },
    ],
  }
}

/**
 * What Envoy's routes cannot say: the way to the target before the path, the caller's callback in place of its name, and
 * the prefix of operation tokens, put before on the way out and taken away on the way in. Whoever gets here has been let
 * through by a route; a caller that the route does not name in its metadata gets no further all the same.
 */
const script = `
function envoy_on_request(handle)
  local route = handle:metadata()
  local upstream = route:get('upstream')
  if upstream == nil then return end
  local headers = handle:headers()
  local callbacks = route:get('callbacks')
  if callbacks ~= nil then
    local operation, caller = string.match(headers:get(':path'), '^([^?]*)%?callback=([%w.-]*)$')
    if caller == nil or callbacks[caller] == nil then
      handle:respond({[':status'] = '404'}, '')
      return
    end
    local back = 'http%3A%2F%2F' .. callbacks[caller] .. '%2Fnamespaces%2F' .. caller .. '%2Fnexus%2Fcallback'
    headers:replace(':path', upstream .. operation .. '?callback=' .. back)
  else
    local operation = string.match(headers:get(':path'), '^[^?]*')
    local prefix = route:get('token_prefix')
    local token = headers:get('${operationTokenHeader}')
    headers:replace('${operationTokenHeader}', string.sub(token, string.len(prefix) + 1))
    headers:replace(':path', upstream .. operation)
  end
end

function envoy_on_response(handle)
  local route = handle:metadata()
  if route:get('callbacks') == nil or handle:headers():get(':status') ~= '201' then return end
  -- What was asked of the route is gone once the body has been waited for.
  local prefix = route:get('token_prefix')
  local body = handle:body()
  local text = body:getBytes(0, body:length())
  local _, at = string.find(text, '"token":"', 1, true)
  if at == nil then return end
  local length = body:setBytes(string.sub(text, 1, at) .. prefix .. string.sub(text, at + 1))
  handle:headers():replace('content-length', length)
end
`

function type(name: string): string {
  return `type.googleapis.com/envoy.extensions.${name}`
}
