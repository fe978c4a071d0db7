import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { type EdgeIntent, frontendCluster } from '#libs/domain/edges'
import { closedChain } from './chain.ts'
import { any, extension } from './envoy.ts'
import type { NamespaceEdge } from './namespace-edge.ts'

export interface DocumentText {
  readonly version: string
  /** JSON of an EdgeDocument. */
  readonly text: string
}

/**
 * Puts the document together from the namespaces' parts, which are JSON text already: of a thousand namespaces, only
 * those that changed are translated and written out anew.
 * @param parts sorted by namespace id
 * @throws Error when the intent's port or frontends are not usable.
 */
export function composeDocument(intent: EdgeIntent, parts: readonly NamespaceEdge[]): DocumentText {
  const endpoints = JSON.stringify(assignment(intent))
  const frame = JSON.stringify(listener(intent.port))
  const hash = createHash('sha256').update(endpoints).update(frame)
  for (const part of parts) hash.update(part.hash)
  const version = hash.digest('hex').slice(0, 32)
  const chains = [JSON.stringify(closedChain()), ...parts.map((part) => part.chain)].join(',')
  const routes = parts.map((part) => part.routes).join(',')
  // The listener's last brace gives way to its chains.
  const listeners = `${frame.slice(0, -1)},"filter_chains":[${chains}]}`
  return {
    version,
    text:
      `{"version":"${version}","listeners":${response(version, listeners)},` +
      `"routes":${response(version, routes)},"endpoints":${response(version, endpoints)}}`,
  }
}

function response(version: string, resources: string): string {
  return `{"version_info":"${version}","resources":[${resources}]}`
}

function listener(port: number): unknown {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('the port of the edge is not one')
  return any('envoy.config.listener.v3.Listener', {
    name: 'edge',
    address: { socket_address: { address: '{address}', port_value: port } },
    // Silence is no server name: who says nothing for this long is disconnected.
    listener_filters_timeout: '5s',
    listener_filters: [
      extension(
        'envoy.filters.listener.tls_inspector',
        'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
        {},
      ),
    ],
  })
}

function assignment({ frontends }: EdgeIntent): unknown {
  const sorted = [...frontends].sort((one, other) => compare(`${one.host}:${one.port}`, `${other.host}:${other.port}`))
  const wrong = sorted.find(({ host }) => isIP(host) === 0)
  if (wrong !== undefined) throw new Error(`the frontend ${JSON.stringify(wrong.host)} is not an IP address`)
  return any('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: frontendCluster,
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
