import { systemActor } from '#libs/authz'
import type { Database } from '#libs/store'
import { endNodeLaunch, listNodeLaunches, writeNodeLaunch } from '#libs/store/node-launches'
import type { JournalEntry, LaunchEntry, LaunchJournal } from './launch-journal.ts'

const system = systemActor('launch-journal')

/** The journal in the product's database. */
export class StoredLaunchJournal implements LaunchJournal {
  readonly #database: Database

  constructor({ database }: { readonly database: Database }) {
    this.#database = database
  }

  async read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, JournalEntry>> {
    const rows = await listNodeLaunches(this.#database.all, system.authorize('node', 'list', { fleet: true }), nodeIds)
    return new Map(
      rows.map(({ node_id: nodeId, revision, ended, entry }) => [
        nodeId,
        { ...launchEntry(nodeId, entry), revision, ended },
      ]),
    )
  }

  async write(nodeId: string, expectedRevision: number, entry: LaunchEntry): Promise<boolean> {
    const { cellId, imageId, placements, attempt, round, doubtUntil, machineId, launchedAt } = entry
    // Field by field: an entry that was read has a revision, which is a column of its own.
    const kept = { cellId, imageId, placements, attempt, round, doubtUntil, machineId, launchedAt }
    return writeNodeLaunch(this.#database.all, system.authorize('node', 'update', { nodeId }), expectedRevision, kept)
  }

  async end(nodeId: string): Promise<void> {
    await endNodeLaunch(this.#database.all, system.authorize('node', 'update', { nodeId }))
  }
}

function launchEntry(nodeId: string, value: Record<string, unknown>): LaunchEntry {
  const { cellId, imageId, placements, attempt, round } = value
  const isWhole =
    typeof cellId === 'string' &&
    typeof imageId === 'string' &&
    Array.isArray(placements) &&
    typeof attempt === 'number' &&
    typeof round === 'number'
  if (!isWhole) throw new Error(`the launch of ${nodeId} was recorded by a version that this one does not understand`)
  const text = (name: 'doubtUntil' | 'machineId' | 'launchedAt') =>
    typeof value[name] === 'string' ? { [name]: value[name] } : {}
  return {
    cellId,
    imageId,
    placements,
    attempt,
    round,
    ...text('doubtUntil'),
    ...text('machineId'),
    ...text('launchedAt'),
  }
}
