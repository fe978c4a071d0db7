/** One Temporal cluster, as it was decided to be. Nothing in here changes after the first start but `nodes`. */
export interface CellSpec {
  /** `cell-…` */
  readonly id: string
  readonly regionId: string
  /** How many nodes. */
  readonly nodes: number
  /** `numHistoryShards`: can never change, so it is chosen by the size that the cell may grow to. */
  readonly historyShards: number
}

/** Shards by the number of nodes: a power of two, and plenty a node, since no cell gets more later. */
export function historyShardsFor(nodes: number): number {
  if (nodes <= 1) return 64
  return nodes <= 4 ? 512 : 2048
}
