import type { Placement } from './placements.ts'

/**
 * What became of a node's launch, kept outside the process: EC2 alone cannot tell it (a machine may be invisible for a
 * while, and a client token means another machine in another zone). Decision 0022 says how it is used.
 */
export interface LaunchJournal {
  /** Of those among these nodes that have one. */
  read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, JournalEntry>>
  /**
   * Writes the entry if the one that is there has this revision (0: there is none).
   * @returns false when somebody else wrote in between, and for a node that no row owns any more.
   */
  write(nodeId: string, expectedRevision: number, entry: LaunchEntry): Promise<boolean>
  /** Nothing of this node is launched any more, and nothing that was is kept. No error when there is no entry. */
  end(nodeId: string): Promise<void>
}

export interface JournalEntry extends LaunchEntry {
  /** From 1; another one after each write. */
  readonly revision: number
  /** Its deletion was asked for. */
  readonly ended: boolean
}

export interface LaunchEntry {
  readonly cellId: string
  /** `ami-…`: what the template's image was when the launch began. */
  readonly imageId: string
  readonly placements: readonly Placement[]
  /** Which of them is being tried. */
  readonly attempt: number
  /** Bumped when client tokens must not be used again. */
  readonly round: number
  /** ISO 8601. Until then nobody knows whether a request of this attempt has made a machine; absent: none has. */
  readonly doubtUntil?: string
  /** The node's one machine for ever. */
  readonly machineId?: string
  /** ISO 8601: when EC2 named it. */
  readonly launchedAt?: string
}
