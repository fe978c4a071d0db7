import type { NodeRole } from '#libs/domain/nodes'

/** `dev`: one node that does everything. `small`: three of them. `standard`: a node for one thing each, over three zones. */
export type CellSize = 'dev' | 'small' | 'standard'

export const cellSizes: readonly CellSize[] = ['dev', 'small', 'standard']

/** A place in a cell that one node fills: nodes come and go, the place stays, with the public address that belongs to it. */
export interface Slot {
  /** `<role>-<ordinal>`: `history-2` */
  readonly id: string
  readonly role: NodeRole
  /** From 0 within the role: which of the region's zones it prefers, counted round. */
  readonly ordinal: number
}

/** In the order in which a new cell starts: the first one alone, history before what asks it, the edge last. */
const roles: Readonly<Record<CellSize, readonly (readonly [NodeRole, number])[]>> = {
  dev: [['all', 1]],
  small: [['all', 3]],
  // One edge a zone; of everything else enough that one may go while the others carry the cell.
  standard: [
    ['history', 3],
    ['matching', 2],
    ['frontend', 2],
    ['worker', 2],
    ['edge', 3],
  ],
}

/** Every slot of a cell of this size, in the order in which a new cell starts. */
export function slotsOf(size: CellSize): readonly Slot[] {
  return roles[size].flatMap(([role, count]) =>
    Array.from({ length: count }, (_, ordinal) => ({ id: `${role}-${ordinal}`, role, ordinal })),
  )
}

/** `numHistoryShards` can never change, so it is chosen by the largest size that the cell may ever have. */
const shards: Readonly<Record<CellSize, number>> = {
  // A cell for trying things out: it never grows, and starts in two seconds.
  dev: 64,
  // The same for both, so that a small cell may become a standard one.
  small: 512,
  standard: 512,
}

/** History shards of a cell that is born with this size. */
export function historyShardsFor(size: CellSize): number {
  return shards[size]
}

/**
 * Whether a cell may be given another size. With fewer history shards than that size has, its nodes could not share the
 * work; and it only grows: what became too large is moved to a smaller cell.
 */
export function mayBecome(from: CellSize, to: CellSize, historyShards: number): boolean {
  return cellSizes.indexOf(from) <= cellSizes.indexOf(to) && historyShards >= shards[to]
}
