import type { DesiredNexusEndpoint, ObservedNexusEndpoint } from '#libs/domain/nexus-endpoints'
import type { NexusEndpointRow } from '#libs/store/nexus-endpoints'

/** `cell_observed` as it is written; null stands for absent. */
export type CellRecord =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'present'; readonly name: string; readonly madeAt: string }

/** `edge_observed` as it is written; null stands for absent. */
export type EdgeRecord = { readonly kind: 'unknown' } | { readonly kind: 'serving'; readonly generation: number }

/** @param leaving whether it has to go from the cell that it is on, since it is deleted or its target is elsewhere now. */
export function desiredOf(row: NexusEndpointRow, leaving: boolean): DesiredNexusEndpoint {
  return { name: row.name, generation: row.generation, deleted: leaving }
}

export function observedOf(row: NexusEndpointRow, now: Date): ObservedNexusEndpoint {
  const cell = row.cell_observed as CellRecord | null
  const edge = row.edge_observed as EdgeRecord | null
  return { cell: cell === null ? { kind: 'absent' } : inCell(cell, now), edge: edge ?? { kind: 'absent' } }
}

function inCell(cell: CellRecord, now: Date): ObservedNexusEndpoint['cell'] {
  if (cell.kind !== 'present') return cell
  return { kind: 'present', name: cell.name, sinceMs: now.getTime() - new Date(cell.madeAt).getTime() }
}
