import type { NamespaceRow } from '#libs/store/namespaces'

export type EdgeAnswer<Seen> = Seen | { readonly kind: 'not_yet'; readonly detail: string }

/** The edges of cells, as far as a namespace's reconciler has to do with them. */
export interface EdgeAccess {
  /** Makes sure that there is a server certificate for the namespace's host name. */
  ensureCertificate(row: NamespaceRow): Promise<void>
  /**
   * Waits, for a few seconds at most, until every edge of the cell answers with this generation or a later one on each
   * listener that the namespace's connectivity rules open, on no other, and a call through it has reached the cell.
   */
  awaitServing(
    cellId: string,
    namespaceId: string,
    generation: number,
  ): Promise<EdgeAnswer<{ readonly kind: 'serving'; readonly generation: number }>>
  /** Waits, for a few seconds at most, until no edge of the cell knows the host name. One that is down does not count as that. */
  awaitAbsence(cellId: string, namespaceId: string): Promise<EdgeAnswer<{ readonly kind: 'absent' }>>
}
