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
