import { createHash } from 'node:crypto'
import type { EdgeNamespace } from '#libs/domain/edges'
import { namespaceChains } from './chain.ts'
import { checkNamespace } from './check-namespace.ts'
import { any } from './envoy.ts'
import { namespaceRoutes } from './routes.ts'
import type { SharedEdge } from './shared-edge.ts'

/** One namespace's share of the document, as JSON text. */
export interface NamespaceEdge {
  /** Of a FilterChain on the public listener; empty when it is not served there. */
  readonly publicChain: string
  /** The same on the private listener. */
  readonly privateChain: string
  /** Of a ScopedRouteConfiguration. */
  readonly routes: string
  /** Of all. */
  readonly hash: string
}

/** @throws Error that says why the namespace cannot be served, and holds no secret. */
export function translateNamespace(namespace: EdgeNamespace, shared: SharedEdge): NamespaceEdge {
  checkNamespace(namespace)
  const { scope, ...chains } = namespaceChains(namespace, shared)
  const publicChain = chains.publicChain === undefined ? '' : JSON.stringify(chains.publicChain)
  const privateChain = chains.privateChain === undefined ? '' : JSON.stringify(chains.privateChain)
  const routes = JSON.stringify(
    any('envoy.config.route.v3.ScopedRouteConfiguration', namespaceRoutes(namespace, scope)),
  )
  const hash = createHash('sha256').update([publicChain, privateChain, routes].join('\n')).digest('hex')
  return { publicChain, privateChain, routes, hash }
}
