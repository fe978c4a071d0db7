import { hasEdge } from '#libs/domain/nodes'
import type { NodeIdentity } from '../discovery/node-identity.ts'
import type { NodeDesk } from './node-desk.ts'

/** `leaving`: it serves as long as somebody needs it, and gets nothing new. `gone`: its certificate is worth nothing any more. */
export type Standing = 'staying' | 'leaving' | 'gone'

/** Milliseconds; who loses its standing loses it sooner, since the database tells of that. */
const freshMs = 2_000

interface Known {
  readonly standing: Standing
  /** Tenants' connections end on it. */
  readonly isEdge: boolean
  readonly at: number
}

/**
 * Where each node stands: a certificate lives for months, and what it says is true as long as the node's row says it. What is
 * known is good for a moment, and for as long as the database does not answer.
 */
export class Standings {
  readonly #stateOf: NodeDesk['stateOf']
  readonly #known = new Map<string, Known & { readonly cellId: string }>()

  constructor(stateOf: NodeDesk['stateOf']) {
    this.#stateOf = stateOf
  }

  /** @throws Error when the database does not answer and nothing is known. */
  async of(node: NodeIdentity): Promise<Standing> {
    return (await this.#look(node)).standing
  }

  /** Whether the node may have what edges serve tenants with: their keys, and tokens. @throws as `of` does. */
  async isEdge(node: NodeIdentity): Promise<boolean> {
    return (await this.#look(node)).isEdge
  }

  async #look({ cellId, nodeId }: NodeIdentity): Promise<Known> {
    const known = this.#known.get(nodeId)
    if (known?.cellId === cellId && performance.now() - known.at < freshMs) return known
    const at = performance.now()
    try {
      const row = await this.#stateOf(nodeId)
      const isOwn = row?.cellId === cellId
      const standing = isOwn ? standingOf(row.state) : 'gone'
      const seen = { cellId, standing, isEdge: isOwn && hasEdge(row.role), at }
      this.#known.set(nodeId, seen)
      return seen
    } catch (thrown) {
      if (known?.cellId === cellId) return known
      throw thrown
    }
  }

  /** Something about the cell changed; `*`: about any. */
  changed(cellId: string): void {
    for (const [nodeId, known] of this.#known) {
      if (cellId !== '*' && known.cellId !== cellId) continue
      if (known.standing === 'gone') this.#known.delete(nodeId)
      else this.#known.set(nodeId, { ...known, at: Number.NEGATIVE_INFINITY })
    }
  }
}

function standingOf(state: string): Standing {
  if (state === 'deleted') return 'gone'
  return state === 'draining' || state === 'deleting' ? 'leaving' : 'staying'
}
