import { type CellState, placementOf } from './state.ts'

export interface CellCandidate {
  readonly id: string
  readonly state: CellState
  /** How many namespaces are placed on it, those that are being deleted included. */
  readonly namespaces: number
  /** It gets no new namespaces. */
  readonly draining: boolean
}

export type CellChoice =
  | { readonly kind: 'existing'; readonly cellId: string; readonly ready: boolean }
  | { readonly kind: 'create' }

/**
 * Where a new namespace goes, among the cells of its region: the least full ready one with room; else the least full
 * one that is coming up (so that a burst of creations makes one cell and not many); else a new one. Two equally full
 * ones are told apart by their ids, so that the same question gets the same answer.
 */
export function chooseCell(cells: readonly CellCandidate[], limit: number): CellChoice {
  const withRoom = cells
    .filter((cell) => !cell.draining && cell.namespaces < limit)
    .toSorted((a, b) => a.namespaces - b.namespaces || (a.id < b.id ? -1 : 1))
  const now = withRoom.find((cell) => placementOf(cell.state) === 'now')
  if (now !== undefined) return { kind: 'existing', cellId: now.id, ready: true }
  const later = withRoom.find((cell) => placementOf(cell.state) === 'later')
  return later === undefined ? { kind: 'create' } : { kind: 'existing', cellId: later.id, ready: false }
}
