import { coerceError } from '#libs/base'
import type { EdgeIntent, EdgeNamespace } from '#libs/domain/edges'
import { composeDocument, type DocumentText } from './document.ts'
import { type NamespaceEdge, translateNamespace } from './namespace-edge.ts'
import { checkShared, type SharedEdge } from './shared-edge.ts'

/** A namespace that the edge does not serve, and why. */
export interface EdgeProblem {
  readonly namespaceId: string
  readonly message: string
}

export interface Translation extends DocumentText {
  readonly problems: readonly EdgeProblem[]
}

export type TranslateNamespace = (namespace: EdgeNamespace, shared: SharedEdge) => NamespaceEdge

/**
 * Turns a cell's intent into Envoy's words: the same intent gives the same bytes, in whatever order its parts come. A
 * namespace that cannot be served is left out and named among the problems; the others are served.
 * @param translate replaced by a cache where the same intent comes again and again.
 * @throws Error when the part that all namespaces share is not usable.
 */
export function translateEdge(intent: EdgeIntent, translate: TranslateNamespace = translateNamespace): Translation {
  checkShared(intent)
  const parts: NamespaceEdge[] = []
  const problems: EdgeProblem[] = []
  const hostnames = new Map<string, string>()
  const ids = new Set<string>()
  for (const namespace of [...intent.namespaces].sort(byId)) {
    try {
      // Two chains for one name, or of one name, and Envoy would refuse all of them.
      const taken = hostnames.get(namespace.hostname)
      if (taken !== undefined) throw new Error(`the hostname is already that of ${taken}`)
      if (ids.has(namespace.id)) throw new Error('the namespace is there twice')
      parts.push(translate(namespace, intent))
      ids.add(namespace.id)
      hostnames.set(namespace.hostname, namespace.id)
    } catch (thrown) {
      problems.push({ namespaceId: namespace.id, message: coerceError(thrown).message })
    }
  }
  return { ...composeDocument(intent, parts), problems }
}

function byId(one: EdgeNamespace, other: EdgeNamespace): number {
  return one.id < other.id ? -1 : Number(one.id > other.id)
}
