import {
  type EdgeIntent,
  type EdgeNamespace,
  type EdgeNexusEndpoint,
  luaMetadata,
  type NexusSecret,
  nexusCallbackHost,
  nexusCluster,
  nexusEndpointHost,
  nexusProbeHost,
  nexusProxyAuthorization,
  nexusScope,
  nexusTokenPrefix,
  operationTokenHeader,
} from '#libs/domain/edges'
import { any, type Proto } from './envoy.ts'
import { anyOf, escapePattern } from './text-pattern.ts'

/** As the cell's history service puts it after an endpoint's URL: `/<service>/<operation>`, each percent-encoded. */
const startPath = '/[^/]+/[^/]+'
const cancelPath = '/[^/]+/[^/]+/cancel'
/** The history service gives up after ten seconds; who hands a task to a worker gives up after sixty. */
const timeout = '70s'

interface Cell {
  readonly secret: NexusSecret
  readonly namespaces: ReadonlyMap<string, EdgeNamespace>
  /** Of a namespace's callbacks. Worked out once: many endpoints have the same callers. */
  readonly callbackHost: (namespaceId: string) => string
}

/**
 * The routes of the Nexus router, in which a cell's whole policy of who may call whom stands. A cell knows an endpoint's
 * name once, whoever has one of that name; here each caller is sent to the target of its own tenant's, and whoever is
 * in no endpoint of that name finds nothing.
 *
 * Who calls is said by the query parameter `callback`, which the history service makes of the calling workflow's own
 * namespace: it is no header, and so nothing that a workflow's author could write.
 * @returns undefined when the cell has nothing to do with Nexus.
 */
export function nexusRoutes(intent: EdgeIntent): Proto | undefined {
  const { nexus } = intent
  if (nexus === undefined) return undefined
  const cell = {
    secret: nexus.secret,
    namespaces: new Map(intent.namespaces.map((namespace) => [namespace.id, namespace])),
    callbackHost: remembering((id) => nexusCallbackHost(nexus.secret, id)),
  }
  const endpoints = [...nexus.endpoints].sort(byId).filter((endpoint) => isWhole(endpoint, cell))
  const byName = Map.groupBy(endpoints, ({ name }) => name)
  const callers = [...new Set(nexus.callers)].sort().flatMap((id) => cell.namespaces.get(id) ?? [])
  return any('envoy.config.route.v3.ScopedRouteConfiguration', {
    name: nexusScope,
    key: { fragments: [{ string_key: nexusScope }] },
    route_configuration: {
      name: nexusScope,
      request_headers_to_remove: ['proxy-authorization', 'x-aqueduct-scope', 'x-envoy-external-address'],
      virtual_hosts: [
        ...[...byName].map(([name, named]) =>
          host(cell, nexusEndpointHost(name), [...named.flatMap((each) => endpointRoutes(cell, each)), unknown(name)]),
        ),
        ...endpoints.map((endpoint) => host(cell, nexusProbeHost(endpoint.id), [probeRoute(endpoint)])),
        ...callers.map((caller) => host(cell, cell.callbackHost(caller.id), [callbackRoute(caller), noCallback()])),
        host(cell, '*', [refuse({ prefix: '/' }, 404, 'NOT_FOUND', 'there is no such endpoint')]),
      ],
    },
  })
}

/** Whatever is asked of the router is asked with the cell's password. */
function host({ secret }: Cell, domain: string, routes: readonly Proto[]): Proto {
  const authorization = {
    name: 'proxy-authorization',
    string_match: { exact: nexusProxyAuthorization(secret) },
    invert_match: true,
    treat_missing_header_as_empty: true,
  }
  const stranger = { match: { prefix: '/', headers: [authorization] }, direct_response: { status: 407 } }
  return { name: domain, domains: [domain], routes: [stranger, ...routes] }
}

function isWhole(endpoint: EdgeNexusEndpoint, { namespaces }: Cell): boolean {
  return namespaces.has(endpoint.targetNamespaceId) && endpoint.targetTaskQueue.isWellFormed()
}

function endpointRoutes(cell: Cell, endpoint: EdgeNexusEndpoint): readonly Proto[] {
  const { secret, namespaces } = cell
  const target = namespaces.get(endpoint.targetNamespaceId)
  if (target === undefined) return []
  const prefix = nexusTokenPrefix(secret, endpoint.id)
  const upstream =
    `/namespaces/${encodeURIComponent(target.id)}` +
    `/task-queues/${encodeURIComponent(endpoint.targetTaskQueue)}/nexus-services`
  const allowed = [...new Set(endpoint.allowedNamespaceIds)].sort().filter((id) => {
    // The rows say so too; a tenant's namespaces end in the tenant's id, so that this wall needs nothing but the names.
    return namespaces.has(id) && tenantOf(id) === tenantOf(target.id)
  })
  const callbacks = Object.fromEntries(allowed.map((id) => [id, cell.callbackHost(id)]))
  const starts = anyOf(allowed).map((regex) =>
    forward(startOf(regex), target, { upstream, callbacks, token_prefix: prefix }),
  )
  const cancel = {
    safe_regex: { regex: cancelPath },
    headers: [post, { name: operationTokenHeader, string_match: { prefix } }],
  }
  return [...starts, forward(cancel, target, { upstream, token_prefix: prefix })]
}

function startOf(callers: string): Proto {
  return {
    safe_regex: { regex: startPath },
    query_parameters: [{ name: 'callback', string_match: { safe_regex: { regex: callers } } }],
    headers: [post],
  }
}

/** An operation of this namespace is completed: with the namespace's own token, on the path that names it. */
function callbackRoute(caller: EdgeNamespace): Proto {
  const path = `/namespaces/${escapePattern(caller.id)}/nexus/callback`
  return forward({ safe_regex: { regex: path }, headers: [post] }, caller, {})
}

function probeRoute({ generation }: EdgeNexusEndpoint): Proto {
  return {
    match: { path: '/generation' },
    direct_response: { status: 200, body: { inline_string: JSON.stringify({ generation }) } },
  }
}

function unknown(name: string): Proto {
  const text = `there is no Nexus endpoint ${JSON.stringify(name)} that this namespace may call`
  return refuse({ prefix: '/' }, 404, 'NOT_FOUND', text)
}

function noCallback(): Proto {
  return refuse({ prefix: '/' }, 404, 'NOT_FOUND', 'there is no such callback')
}

/** A tenant that is suspended loses nothing by it: what it called is called again, until somebody answers or gives up. */
function forward(match: Proto, { tokens, suspended }: EdgeNamespace, lua: Proto): Proto {
  if (suspended) return refuse(match, 503, 'UNAVAILABLE', 'the tenant is suspended')
  return {
    match,
    route: { cluster: nexusCluster, timeout },
    metadata: { filter_metadata: { [luaMetadata]: lua } },
    request_headers_to_add: [
      {
        header: { key: 'authorization', value: `Bearer ${tokens.write}` },
        append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
      },
    ],
  }
}

/** In the form of the Nexus protocol, so that the caller's workflow reads why. */
function refuse(match: Proto, status: number, type: string, message: string): Proto {
  const failure = {
    message,
    metadata: { type: 'nexus.HandlerError' },
    details: { type, retryableOverride: type === 'UNAVAILABLE' },
  }
  return {
    match,
    direct_response: { status, body: { inline_string: JSON.stringify(failure) } },
    response_headers_to_add: [
      { header: { key: 'content-type', value: 'application/json' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ],
  }
}

const post: Proto = { name: ':method', string_match: { exact: 'POST' } }

function remembering(work: (key: string) => string): (key: string) => string {
  const known = new Map<string, string>()
  return (key) => {
    const value = known.get(key) ?? work(key)
    known.set(key, value)
    return value
  }
}

function tenantOf(namespaceId: string): string {
  return namespaceId.slice(namespaceId.lastIndexOf('.') + 1)
}

function byId(one: EdgeNexusEndpoint, other: EdgeNexusEndpoint): number {
  return one.id < other.id ? -1 : Number(one.id > other.id)
}
