import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { type EdgeIntent, frontendCluster, nexusCluster } from '#libs/domain/edges'
import { closedChain } from './chain.ts'
import { any, extension, type Proto } from './envoy.ts'
import type { NamespaceEdge } from './namespace-edge.ts'
import { nexusRoutes } from './nexus-routes.ts'
import { proxyProtocolFilter } from './private-links.ts'
import { connectionRefusalLog } from './refusal-log.ts'

export interface DocumentText {
  readonly version: string
  /** JSON of an EdgeDocument. */
  readonly text: string
  /** The same for a node that only routes Nexus operations: without listeners, and without any namespace's keys. */
  readonly routerText: string
}

/**
 * Puts the document together from the namespaces' parts, which are JSON text already: of a thousand namespaces, only
 * those that changed are translated and written out anew.
 * @param parts sorted by namespace id
 * @throws Error when the intent's ports or frontends are not usable.
 */
export function composeDocument(intent: EdgeIntent, parts: readonly NamespaceEdge[]): DocumentText {
  const endpoints = assignments(intent)
    .map((assignment) => JSON.stringify(assignment))
    .join(',')
  if (intent.port === intent.privatePort) throw new Error('both listeners of the edge have the same port')
  const frames = [JSON.stringify(publicListener(intent.port)), JSON.stringify(privateListener(intent.privatePort))]
  const hash = createHash('sha256').update(endpoints).update(frames.join('\n'))
  for (const part of parts) hash.update(part.hash)
  const nexus = nexusRoutes(intent)
  const nexusText = nexus === undefined ? [] : [JSON.stringify(nexus)]
  for (const text of nexusText) hash.update(text)
  const version = hash.digest('hex').slice(0, 32)
  const chains = [parts.map((part) => part.publicChain), parts.map((part) => part.privateChain)]
  const routes = [...parts.map((part) => part.routes), ...nexusText].join(',')
  const listeners = frames.map((frame, index) => withChains(frame, chains[index] ?? [])).join(',')
  return {
    version,
    text: documentText(version, listeners, routes, endpoints),
    routerText: documentText(version, '', nexusText.join(','), endpoints),
  }
}

function documentText(version: string, listeners: string, routes: string, endpoints: string): string {
  return (
    `{"version":"${version}","listeners":${response(version, listeners)},` +
    `"routes":${response(version, routes)},"endpoints":${response(version, endpoints)}}`
  )
}

function response(version: string, resources: string): string {
  return `{"version_info":"${version}","resources":[${resources}]}`
}

/** The listener's last brace gives way to its chains. */
function withChains(frame: string, chains: readonly string[]): string {
  const served = [JSON.stringify(closedChain()), ...chains.filter((chain) => chain !== '')]
  return `${frame.slice(0, -1)},"filter_chains":[${served.join(',')}]}`
}

function publicListener(port: number): unknown {
  return listener('edge', port, [])
}

/** Whoever reaches it is believed about who they are: the load balancers of private connections alone may. */
function privateListener(port: number): unknown {
  return listener('edge-private', port, [proxyProtocolFilter()])
}

function listener(name: string, port: number, before: readonly Proto[]): unknown {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('the port of the edge is not one')
  return any('envoy.config.listener.v3.Listener', {
    name,
    address: { socket_address: { address: '{address}', port_value: port } },
    access_log: [connectionRefusalLog()],
    // Silence is no server name: who says nothing for this long is disconnected.
    listener_filters_timeout: '5s',
    listener_filters: [
      ...before,
      extension(
        'envoy.filters.listener.tls_inspector',
        'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
        {},
      ),
    ],
  })
}

function assignments({ frontends, frontendHttpPort }: EdgeIntent): readonly unknown[] {
  const overHttp = frontends.map(({ host }) => ({ host, port: frontendHttpPort ?? 0 }))
  return [
    assignment(frontendCluster, frontends),
    ...(frontendHttpPort === undefined ? [] : [assignment(nexusCluster, overHttp)]),
  ]
}

function assignment(cluster: string, frontends: EdgeIntent['frontends']): unknown {
  const sorted = [...frontends].sort((one, other) => compare(`${one.host}:${one.port}`, `${other.host}:${other.port}`))
  const wrong = sorted.find(({ host }) => isIP(host) === 0)
  if (wrong !== undefined) throw new Error(`the frontend ${JSON.stringify(wrong.host)} is not an IP address`)
  return any('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: cluster,
    endpoints: [
      {
        lb_endpoints: sorted.map(({ host, port }) => ({
          endpoint: { address: { socket_address: { address: host, port_value: port } } },
        })),
      },
    ],
  })
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
