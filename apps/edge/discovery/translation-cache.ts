import { createHash } from 'node:crypto'
import { coerceError } from '#libs/base'
import type { EdgeIntent, EdgeNamespace } from '#libs/domain/edges'
import { type NamespaceEdge, translateNamespace } from '../translate/namespace-edge.ts'
import { type Translation, translateEdge } from '../translate/translate.ts'

interface Entry {
  readonly namespace: EdgeNamespace
  readonly digest: string
  readonly result: NamespaceEdge | Error
}

/** Translates one cell's intents one after the other, and of each only the namespaces that differ from before. */
export class TranslationCache {
  #shared = ''
  #entries = new Map<string, Entry>()

  translate(intent: EdgeIntent): Translation {
    const shared = JSON.stringify([intent.apiKeys, intent.probe])
    const before = shared === this.#shared ? this.#entries : new Map<string, Entry>()
    const entries = new Map<string, Entry>()
    const translation = translateEdge(intent, (namespace) => {
      const entry = renew(before.get(namespace.id), namespace, intent)
      entries.set(namespace.id, entry)
      if (entry.result instanceof Error) throw entry.result
      return entry.result
    })
    this.#shared = shared
    this.#entries = entries
    return translation
  }
}

function renew(known: Entry | undefined, namespace: EdgeNamespace, intent: EdgeIntent): Entry {
  if (known?.namespace === namespace) return known
  const digest = createHash('sha256').update(JSON.stringify(namespace)).digest('base64')
  if (known?.digest === digest) return { ...known, namespace }
  return { namespace, digest, result: attempt(namespace, intent) }
}

function attempt(namespace: EdgeNamespace, intent: EdgeIntent): NamespaceEdge | Error {
  try {
    return translateNamespace(namespace, intent)
  } catch (thrown) {
    return coerceError(thrown)
  }
}
