import type { EdgeAnswer } from '../namespaces/edge-access.ts'

/** The Nexus routers of cells, as far as an endpoint's reconciler has to do with them. */
export interface RouterAccess {
  /** Waits, for a few seconds at most, until every router of the cell has this generation or a later one. */
  awaitServing(
    cellId: string,
    endpointId: string,
    generation: number,
  ): Promise<EdgeAnswer<{ readonly kind: 'serving'; readonly generation: number }>>
  /** Waits, for a few seconds at most, until no router of the cell knows it. One that is down does not count as that. */
  awaitAbsence(cellId: string, endpointId: string): Promise<EdgeAnswer<{ readonly kind: 'absent' }>>
}
