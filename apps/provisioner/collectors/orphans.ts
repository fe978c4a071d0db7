import { systemActor } from '#libs/authz'
import { type Clock, coerceError } from '#libs/base'
import {
  hasSightings,
  type OrphanKind,
  recordCollected,
  recordSightings,
  type Sighting,
  type Unowned,
} from '#libs/store/sightings'
import type { Outward } from '../reconcilers/outward.ts'
import type { CollectorDeps } from './overdue-operations.ts'

/** Something that no row owned when it was looked at. */
export interface Orphan extends Unowned {
  /** Where the world says it. */
  readonly createdAt?: Date
}

/** A place in the world that is listed as a whole, and what is known of who owns what is there. */
export interface OrphanSource<Found extends Orphan> {
  /** Unique, and the same at every start: `driver ec2 aws-us-east-1`. */
  readonly scope: string
  readonly kinds: readonly OrphanKind[]
  /**
   * Lists the world, and then the rows: what is made in between has its row by then, and the other order would take it for
   * an orphan.
   * @throws Error when either cannot be read, or is not to be believed: nothing is deleted, and no age is forgotten.
   */
  readonly look: () => Promise<readonly Found[]>
  /** Asked again right before the deletion, of the rows as they are then. */
  readonly isStillUnowned: (found: Found) => Promise<boolean>
  readonly remove: (found: Found) => Promise<void>
}

export interface OrphansDeps extends CollectorDeps {
  readonly clock: Clock
  readonly outward: Outward
  /** Milliseconds that something without an owner is left alone: its row may be on the way. */
  readonly graceMs: number
  /** Told of each thing that was deleted: for the metric. */
  readonly onCollected?: (kind: OrphanKind) => void
  readonly signal?: AbortSignal
}

const system = systemActor('orphans')
/** Milliseconds until the deletion of what is still there is asked for again. */
const askAgainMs = 20_000

/**
 * One round over one source: deletes what no row has owned for longer than the grace. Its age is what the world says, or counts
 * from the first sighting, by whichever replica. One thing that cannot be deleted saves no other.
 * @returns how many things were deleted for the first time.
 * @throws whatever `look` throws.
 */
export async function collectOrphans<Found extends Orphan>(
  deps: OrphansDeps,
  source: OrphanSource<Found>,
): Promise<number> {
  const proof = system.authorize('orphan', 'update', { fleet: true })
  const found = await source.look()
  if (found.length === 0 && !(await hasSightings(deps.database.all, proof, source.scope))) return 0
  const at = deps.clock.now()
  const sightings = await deps.database.all
    .transaction()
    .execute((trx) => recordSightings(trx, proof, { scope: source.scope, kinds: source.kinds, unowned: found, at }))
  tellOfStrangers(deps, source.scope, at, sightings)
  const seen = new Map(sightings.map((sighting) => [keyOf(sighting), sighting]))
  let collected = 0
  for (const orphan of found) {
    const sighting = seen.get(keyOf(orphan))
    if (deps.signal?.aborted === true) break
    if (orphan.stranger || sighting === undefined || !isDue(orphan, sighting, at, deps.graceMs)) continue
    if (await collect(deps, source, orphan)) collected += 1
  }
  return collected
}

async function collect<Found extends Orphan>(
  deps: OrphansDeps,
  source: OrphanSource<Found>,
  orphan: Found,
): Promise<boolean> {
  const { kind, id, cellId } = orphan
  const about = { kind, id, cell: cellId, scope: source.scope }
  const proof = system.authorize('orphan', 'update', { fleet: true })
  try {
    if (!(await source.isStillUnowned(orphan))) return false
    await deps.outward(`collect-${kind}`, () => source.remove(orphan))
    const at = deps.clock.now()
    const which = await deps.database.all
      .transaction()
      .execute((trx) => recordCollected(trx, proof, { scope: source.scope, kind, id, at }))
    if (which === 'again') return false
    deps.logger.warn(about, 'orphan collected')
    deps.onCollected?.(kind)
    return true
  } catch (thrown) {
    deps.logger.error({ ...about, err: coerceError(thrown) }, 'orphan not collected')
    return false
  }
}

function isDue(orphan: Orphan, { firstSeenAt, askedAt }: Sighting, at: Date, graceMs: number): boolean {
  // The earlier one: a clock elsewhere that is ahead must not make an orphan young for ever.
  const since = Math.min(orphan.createdAt?.getTime() ?? Number.POSITIVE_INFINITY, firstSeenAt.getTime())
  if (at.getTime() - since < graceMs) return false
  return askedAt === undefined || at.getTime() - askedAt.getTime() >= askAgainMs
}

function tellOfStrangers(deps: OrphansDeps, scope: string, at: Date, sightings: readonly Sighting[]): void {
  const fresh = sightings.filter(({ stranger, firstSeenAt }) => stranger && firstSeenAt.getTime() === at.getTime())
  if (fresh.length === 0) return
  const things = fresh.slice(0, 20).map(({ kind, id, cellId }) => `${kind} ${id} of ${cellId}`)
  deps.logger.error(
    { scope, things, count: fresh.length },
    'things of cells without a row: was the database restored from a backup, or is this another installation’s? They are left alone',
  )
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind} ${id}`
}
