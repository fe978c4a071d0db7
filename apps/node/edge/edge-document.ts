/** The document as the agent handles it: the resources by part, not looked into further than to see that they fit together. */
export interface ReceivedEdge {
  readonly version: string
  readonly listeners: readonly Resource[]
  readonly routes: readonly Resource[]
  readonly endpoints: readonly Resource[]
}

export interface Resource {
  readonly '@type': string
  readonly name?: string
  /** Of endpoints. */
  readonly cluster_name?: string
}

/**
 * Reads a document from the discovery server. It replaces a configuration that works, so one that cannot be whole is
 * refused: Envoy itself would take up routes without listeners, or listeners whose routes are missing.
 * @throws Error that says what is wrong; never with the content, which holds keys.
 */
export function readEdgeDocument(text: string, serves: 'edge' | 'router' = 'edge'): ReceivedEdge {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new Error('the edge document is not JSON')
  }
  if (!isRecord(parsed)) throw new Error('the edge document is not an object')
  const { version } = parsed
  if (typeof version !== 'string' || !/^[\w-]{1,128}$/.test(version))
    throw new Error('the edge document has no version')
  const listeners = resources(parsed.listeners, 'listeners', 'envoy.config.listener.v3.Listener')
  const routes = resources(parsed.routes, 'routes', 'envoy.config.route.v3.ScopedRouteConfiguration')
  const endpoints = resources(parsed.endpoints, 'endpoints', 'envoy.config.endpoint.v3.ClusterLoadAssignment')
  const names = new Set(listeners.map(({ name }) => name))
  const isOfOne = serves === 'router' ? names.size === 0 : names.size > 0
  if (!isOfOne || names.size !== listeners.length || endpoints.length === 0) {
    throw new Error(`the edge document is not of one ${serves}`)
  }
  checkRoutes(listeners, routes)
  return { version, listeners, routes, endpoints }
}

/** Every chain has the name of a namespace, and its routes that of the namespace and a hash; `closed` needs none. */
function checkRoutes(listeners: readonly Resource[], routes: readonly Resource[]): void {
  const routed = new Set(routes.map(({ name }) => name?.split('@')[0]))
  for (const listener of listeners) {
    const chains = 'filter_chains' in listener ? listener.filter_chains : undefined
    if (!Array.isArray(chains) || chains.length === 0)
      throw new Error('the edge document has a listener without chains')
    const lost = chains.find(
      (chain: unknown) => !isRecord(chain) || (chain.name !== 'closed' && !routed.has(chain.name as string)),
    )
    if (lost !== undefined) throw new Error('the edge document has a chain without routes')
  }
}

function resources(value: unknown, part: string, type: string): readonly Resource[] {
  const list = isRecord(value) ? value.resources : undefined
  if (!Array.isArray(list)) throw new Error(`the edge document has no ${part}`)
  if (!list.every((item: unknown) => isRecord(item) && item['@type'] === `type.googleapis.com/${type}`)) {
    throw new Error(`the edge document has ${part} of another type`)
  }
  return list as readonly Resource[]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
