import type { SeenOnCell, WorkState } from '#libs/domain/moves'

/** What a cell does for namespaces of several cells. Every method can be called again after a lost answer. */
export interface CellReplication {
  /** The namespace as this cell sees it. */
  see(namespace: string): Promise<SeenOnCell>
  /** The other cells that it knows, by their cluster names. */
  remotes(): Promise<readonly { readonly name: string; readonly address: string }[]>
  /**
   * Makes it know another cell, which it asks for its name.
   * @param address `host:port` of its internal-frontend
   * @throws CellError `unavailable` while the two do not trust each other yet
   */
  addRemote(address: string): Promise<void>
  /** No error when it does not know it. */
  removeRemote(name: string): Promise<void>
  /** Makes a namespace of one cell one that can be of several. */
  promote(namespace: string): Promise<void>
  /** @throws CellError `invalid` while a host has not heard of one of them */
  setClusters(namespace: string, clusters: readonly string[]): Promise<void>
  /** Copies everything to the other cell, and looks whether it came there. One of the id that runs is enough. */
  startCopy(id: string, namespace: string, targetCluster: string): Promise<void>
  /** Has the other cell go on, once it has everything; takes it back when that takes too long. One of the id that runs is enough. */
  startHandOver(id: string, namespace: string, targetCluster: string): Promise<void>
  /** How the copy or the hand-over of this id goes. */
  workState(id: string): Promise<WorkState>
}
