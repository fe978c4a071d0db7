import type { Slot } from './size.ts'
import type { NodeState } from './state.ts'

/** A node as the cell's plan sees it: its row, as the node's own reconciler wrote it last. */
export interface SlotNode {
  readonly nodeId: string
  /** Of the slot that it fills. */
  readonly slotId: string
  /** `ready` means that it serves, and that an edge's public address leads to it. */
  readonly state: Exclude<NodeState, 'deleted'>
  /** Of the template that it was made from. */
  readonly templateHash: string
  /** Why it has to be replaced though it works. */
  readonly retireReason?: string
  /** Until when, in milliseconds since 1970. */
  readonly retireBy?: number
  /** When the driver first saw its machine, when it first was ready, and since when it is not, in milliseconds since 1970. */
  readonly seenAt?: number
  readonly readyAt?: number
  readonly unreadySince?: number
  readonly drainingSince?: number
  /** How long it drains, in milliseconds. */
  readonly drainMs: number
}

export interface CellNodes {
  /** Of the cell's size, in the order in which a new cell starts. */
  readonly slots: readonly Slot[]
  /** Of the template that its nodes are to be made from. */
  readonly templateHash: string
  /** Its first node was ready once: from then on several may start at once. */
  readonly bootstrapped: boolean
  /** Every row that is not `deleted`, in the order in which they were made. */
  readonly nodes: readonly SlotNode[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/** A change of the cell's node rows. What it takes in the world is the node reconcilers' to do. */
export type NodeAction =
  | { readonly kind: 'add'; readonly slot: Slot }
  | { readonly kind: 'drain'; readonly nodeId: string; readonly reason: string }
  | { readonly kind: 'delete'; readonly nodeId: string; readonly reason: string }

/** Milliseconds from the machine to a node that works: a boot, a join, and a server that finds its cell. */
export const bootMs = 15 * 60_000
/**
 * Milliseconds that a node may be out of order while others of its cell work. Programs that end are started again long
 * before; what lasts longer has to do with the machine.
 */
export const unhealthyMs = 2 * 60_000

/** Machines that a cell may have at once, the dying ones included. */
export function machineLimit(slots: readonly Slot[]): number {
  return slots.length + 1
}

/**
 * What is to be changed about a cell's nodes now; nothing, when all is well or when something has to be waited for.
 *
 * A dead node is deleted, and once it is gone its slot is filled anew. One that works but has to go (its template is not
 * its cell's, its machine will be taken) gets its replacement first: one extra machine in the whole cell, and only while all
 * others work. Once the replacement is ready the old one drains, and goes.
 */
export function planNodes(cell: CellNodes): readonly NodeAction[] {
  const deletions = cell.nodes.flatMap((node) => deletionOf(cell, node))
  const dying = new Set(deletions.map(({ nodeId }) => nodeId))
  const staying = cell.nodes.filter((node) => node.state !== 'deleting' && !dying.has(node.nodeId))
  const drains = [...drainsOfReplaced(cell, staying), ...drainsOfSurplus(cell, staying)]
  return [...deletions, ...drains, ...additions(cell, deletions.length + drains.length > 0)]
}

/** When to look again at something that time alone brings about; undefined when nothing is. Milliseconds since 1970. */
export function nextLook({ nodes }: CellNodes): number | undefined {
  const ends = nodes.flatMap(({ state, drainingSince, drainMs }) =>
    state === 'draining' && drainingSince !== undefined ? [drainingSince + drainMs] : [],
  )
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** Whether every slot has a node that works, whatever else is under way. */
export function isServing({ slots, nodes }: Pick<CellNodes, 'slots' | 'nodes'>): boolean {
  return slots.every((slot) => nodes.some((node) => node.slotId === slot.id && node.state === 'ready'))
}

/** Whether the cell is as it is to be: nothing is left to do or to wait for. */
export function isWhole(cell: CellNodes): boolean {
  return isServing(cell) && cell.nodes.length === cell.slots.length && planNodes(cell).length === 0
}

function deletionOf(cell: CellNodes, node: SlotNode): (NodeAction & { readonly kind: 'delete' })[] {
  const reason = reasonToDelete(cell, node)
  return reason === undefined ? [] : [{ kind: 'delete', nodeId: node.nodeId, reason }]
}

function reasonToDelete(cell: CellNodes, node: SlotNode): string | undefined {
  const { now } = cell
  switch (node.state) {
    case 'failed':
      return 'its machine has failed'
    case 'draining':
      return now - (node.drainingSince ?? 0) >= node.drainMs ? 'it has drained' : undefined
    case 'creating': {
      const why = reasonToGo(cell, node)
      if (node.readyAt === undefined) {
        if (why !== undefined) return `${why}, and it never was ready`
        return node.seenAt !== undefined && now - node.seenAt >= bootMs ? 'it did not get ready in time' : undefined
      }
      if (now - (node.unreadySince ?? now) < unhealthyMs) return undefined
      // When nobody works, the machine is not to blame: its database is gone, say.
      const isAlone = !cell.nodes.some((other) => other.state === 'ready')
      return why !== undefined || !isAlone ? 'it has been out of order for too long' : undefined
    }
    case 'ready':
    case 'deleting':
      return undefined
  }
}

/** Why a node is not one that the cell would have if it were made now. */
function reasonToGo({ slots, templateHash }: CellNodes, node: SlotNode): string | undefined {
  if (node.retireReason !== undefined) return node.retireReason
  if (node.templateHash !== templateHash) return "its template is not the cell's any more"
  return slots.some((slot) => slot.id === node.slotId) ? undefined : 'the cell has no such slot any more'
}

/**
 * In a slot with a ready node that may stay, whoever else is there goes. Of several that work and have to go, the newest
 * alone waits for its replacement: the template was changed again while one was replaced, and both would leave no room.
 */
function drainsOfReplaced(cell: CellNodes, staying: readonly SlotNode[]): NodeAction[] {
  return cell.slots.flatMap((slot) => {
    const here = staying.filter((node) => node.slotId === slot.id)
    const ready = here.filter((node) => node.state === 'ready')
    const mayStay = ready.find((node) => reasonToGo(cell, node) === undefined)
    const keeper = mayStay ?? ready.at(-1)
    const others = mayStay === undefined ? ready : here
    return others
      .filter((node) => node !== keeper && node.state !== 'draining')
      .map((node) => drain(node, reasonToGo(cell, node) ?? 'its slot is filled'))
  })
}

/**
 * Nodes of slots that the size does not have go when all slots of the size are filled. Is there no room for the last of
 * those, one goes for each that comes, while all others work. A cell only grows: the nodes of the larger size that are
 * there by then can do everything.
 */
function drainsOfSurplus(cell: CellNodes, staying: readonly SlotNode[]): NodeAction[] {
  const { slots, nodes } = cell
  const surplus = staying.filter(
    (node) => node.state !== 'draining' && slots.every((slot) => slot.id !== node.slotId) && cell.bootstrapped,
  )
  const go = (node: SlotNode) => drain(node, 'the cell has no such slot any more')
  if (isServing(cell)) return surplus.map(go)
  const isFull = nodes.length >= machineLimit(slots)
  const grows = surplus.length < slots.length
  const allWork = nodes.every((node) => node.state === 'ready')
  return isFull && grows && allWork ? surplus.slice(-1).map(go) : []
}

function drain({ nodeId }: SlotNode, reason: string): NodeAction {
  return { kind: 'drain', nodeId, reason }
}

function additions(cell: CellNodes, isChanging: boolean): readonly NodeAction[] {
  const { slots, nodes, bootstrapped } = cell
  const room = machineLimit(slots) - nodes.length
  // Several at once would race on the cell's own metadata, and the losers exit.
  const startable = bootstrapped ? slots : slots.slice(0, 1)
  const empty = startable.filter((slot) => nodes.every((node) => node.slotId !== slot.id))
  if (empty.length > 0) return empty.slice(0, Math.max(0, room)).map((slot) => ({ kind: 'add', slot }))
  const isHealthy = nodes.every((node) => node.state === 'ready')
  if (isChanging || !isHealthy || room <= 0) return []
  const [next] = nodes
    .filter((node) => reasonToGo(cell, node) !== undefined && slots.some((slot) => slot.id === node.slotId))
    .toSorted((a, b) => urgency(a) - urgency(b))
  const slot = slots.find((candidate) => candidate.id === next?.slotId)
  return slot === undefined ? [] : [{ kind: 'add', slot }]
}

/** What will be taken goes first, and then what has to go at no certain time, in the order of the slots. */
function urgency({ retireBy, retireReason }: SlotNode): number {
  return retireBy ?? (retireReason === undefined ? Number.POSITIVE_INFINITY : Number.MAX_SAFE_INTEGER)
}
