import type { JournalEntry, LaunchEntry, LaunchJournal } from '../../../apps/provisioner/drivers/ec2/launch-journal.ts'

/** The journal of launches without a database; every node has a row that owns it. */
export class MemoryJournal implements LaunchJournal {
  readonly #entries = new Map<string, JournalEntry>()
  readonly #ended = new Set<string>()

  async read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, JournalEntry>> {
    return new Map(
      nodeIds.flatMap((nodeId) => {
        const entry = this.#entries.get(nodeId)
        return entry === undefined ? [] : [[nodeId, { ...entry, ended: this.#ended.has(nodeId) }]]
      }),
    )
  }

  async write(nodeId: string, expectedRevision: number, entry: LaunchEntry): Promise<boolean> {
    const known = this.#entries.get(nodeId)?.revision ?? 0
    if (known !== expectedRevision || this.#ended.has(nodeId)) return false
    this.#entries.set(nodeId, { ...entry, revision: known + 1, ended: false })
    return true
  }

  async end(nodeId: string): Promise<void> {
    this.#ended.add(nodeId)
  }
}
