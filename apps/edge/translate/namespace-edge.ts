import { createHash } from 'node:crypto'
import type { EdgeNamespace } from '#libs/domain/edges'
import { namespaceChain } from './chain.ts'
import { checkNamespace } from './check-namespace.ts'
import { any } from './envoy.ts'
import { namespaceRoutes } from './routes.ts'
import type { SharedEdge } from './shared-edge.ts'

/** One namespace's share of the document, as JSON text. */
export interface NamespaceEdge {
  /** Of a FilterChain. */
  readonly chain: string
  /** Of a ScopedRouteConfiguration. */
  readonly routes: string
  /** Of both. */
  readonly hash: string
}

/** @throws Error that says why the namespace cannot be served, and holds no secret. */
export function translateNamespace(namespace: EdgeNamespace, shared: SharedEdge): NamespaceEdge {
  checkNamespace(namespace)
  const { scope, chain } = namespaceChain(namespace, shared)
  const chainText = JSON.stringify(chain)
  const routes = JSON.stringify(
    any('envoy.config.route.v3.ScopedRouteConfiguration', namespaceRoutes(namespace, scope)),
  )
  const hash = createHash('sha256').update(chainText).update('\n').update(routes).digest('hex')
  return { chain: chainText, routes, hash }
}
