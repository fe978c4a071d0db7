import { type Authorized, systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import { type CellSize, callPauseEnd, launchPauseEnd, machineLimit, slotsOf } from '#libs/domain/cells'
import { type Database, StaleWriterError, type Trx } from '#libs/store'
import {
  listLaunches,
  listPermitted,
  lockLaunches,
  type PermittedNode,
  permitLaunch,
  recordLaunchCall,
  regionsOfCells,
} from '#libs/store/launches'
import type { NodeDriver, NodeInstance } from '../../drivers/contract.ts'

/** What is asked for: the row of the node, and of its cell, as far as the guard needs them. */
export interface LaunchRequest {
  readonly node: {
    readonly id: string
    readonly cell_id: string
    readonly launch_failures: number
    readonly launch_failed_at: Date | null
  }
  readonly cell: { readonly id: string; readonly region: string; readonly size: CellSize }
  readonly driver: NodeDriver
}

export type LaunchRefusal = 'cell_full' | 'region_full' | 'backing_off' | 'world_unknown'

/** A launch that may not be now. The message says why, for the node's condition. */
export class LaunchRefusedError extends Error {
  override readonly name = 'LaunchRefusedError'
  readonly reason: LaunchRefusal
  /** Milliseconds until it is worth asking again. */
  readonly retryAfterMs: number

  constructor(reason: LaunchRefusal, message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

export interface LaunchGuardDeps {
  readonly database: Database
  readonly clock: Clock
  /** Machines that a region may have at once. @throws Error for a region that is not configured */
  readonly nodeLimit: (regionId: string) => number
  /** Told of every refusal: for the metric. */
  readonly onRefused: (reason: LaunchRefusal) => void
  /** Milliseconds of a clock that goes on while the process is stopped, and never backwards. */
  readonly monotonicMs?: () => number
}

/** Milliseconds for which a listing of the world is good: what is launched meanwhile counts by its permit. */
const listingMs = 2_000
/** Milliseconds after which a permit is too old to launch by: the process slept, and others may have counted without it. */
const permitMs = 10_000
/** Milliseconds until a full cell or region is asked again. */
const fullMs = 15_000
/** Far more than free deaths and doublings up to the longest pause. */
const launchesLookedAt = 30

const system = systemActor('launch-guard')

/**
 * The last wall before a bill: lets a machine be launched only while the cell has at most one more than it has slots (`machineLimit`), and
 * the region fewer than its limit. What counts is everything that was permitted and has not surely ended, and everything
 * that the driver lists, owned or not, ending or not; whoever is in both counts once. Permits of a region are given one
 * after the other, whatever process asks, and each is written before the launch: a process that dies or sleeps between
 * permit and launch has been counted already, and one that slept for long launches nothing by an old permit.
 */
export class LaunchGuard {
  readonly #deps: LaunchGuardDeps
  readonly #monotonicMs: () => number
  readonly #listings = new WeakMap<
    NodeDriver,
    { readonly at: number; readonly world: Promise<readonly NodeInstance[]> }
  >()

  constructor(deps: LaunchGuardDeps) {
    this.#deps = deps
    this.#monotonicMs = deps.monotonicMs ?? (() => performance.now())
  }

  /**
   * Runs `call` if the launch may be, and keeps account of how it ends.
   * @param call launches exactly this node.
   * @throws LaunchRefusedError when it may not be now; StaleWriterError when the node is to be taken away, or the process
   * slept after the permit; whatever `call` throws.
   */
  async launch<Result>(request: LaunchRequest, call: () => Promise<Result>): Promise<Result> {
    const proof = system.authorize('node', 'update', { nodeId: request.node.id })
    const askedAt = this.#monotonicMs()
    try {
      await this.#permit(request, proof)
    } catch (thrown) {
      if (thrown instanceof LaunchRefusedError) this.#deps.onRefused(thrown.reason)
      throw thrown
    }
    if (this.#monotonicMs() - askedAt > permitMs) {
      throw new StaleWriterError(`the permit to launch ${request.node.id} is too old`)
    }
    return this.#counted(request, proof, call)
  }

  async #counted<Result>(
    { node, driver }: LaunchRequest,
    proof: Authorized<'node', 'update'>,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const { all } = this.#deps.database
    try {
      const result = await call()
      if (node.launch_failures > 0) await recordLaunchCall(all, proof, 'ok')
      return result
    } catch (thrown) {
      // Whatever happened, the world may be another one now.
      this.#listings.delete(driver)
      // Who lost the lease has called nobody.
      if (!(thrown instanceof StaleWriterError)) await recordLaunchCall(all, proof, 'failed')
      throw thrown
    }
  }

  async #permit(request: LaunchRequest, proof: Authorized<'node', 'update'>): Promise<void> {
    const { database, clock } = this.#deps
    const { node, cell, driver } = request
    const now = clock.now().getTime()
    const callPause = callPauseEnd(node.launch_failures, node.launch_failed_at?.getTime() ?? 0, now)
    if (callPause !== undefined) throw backingOff(`${node.launch_failures} calls to launch it failed`, callPause, now)
    const world = await this.#world(driver)
    const cellIds = [...new Set(world.map((machine) => machine.cellId))]
    const regions = await regionsOfCells(database.all, proof, cellIds)
    // A machine of a cell that no row knows counts in every region that its driver serves.
    const here = world.filter((machine) => (regions.get(machine.cellId) ?? cell.region) === cell.region)
    await database.all.transaction().execute(async (trx) => {
      await lockLaunches(trx, cell.region)
      await this.#refusePause(trx, proof, cell.id, now)
      refuseFull(request, this.#deps.nodeLimit(cell.region), await listPermitted(trx, proof, cell.region), here)
      if (!(await permitLaunch(trx, proof))) throw new StaleWriterError(`${node.id} is to be taken away`)
    })
  }

  async #refusePause(trx: Trx, proof: Authorized<'node', 'update'>, cellId: string, now: number): Promise<void> {
    const launches = await listLaunches(trx, proof, cellId, launchesLookedAt)
    const past = launches.map(({ permittedAt, firstReadyAt, endedAt, planned }) => ({
      launchedAt: permittedAt.getTime(),
      firstReadyAt: firstReadyAt?.getTime(),
      endedAt: endedAt?.getTime(),
      planned,
    }))
    const pause = launchPauseEnd(past, now)
    if (pause !== undefined) throw backingOff('machines of this cell die soon after their launch', pause, now)
  }

  async #world(driver: NodeDriver): Promise<readonly NodeInstance[]> {
    const now = this.#monotonicMs()
    const known = this.#listings.get(driver)
    const listing = known !== undefined && now - known.at < listingMs ? known : { at: now, world: driver.list() }
    this.#listings.set(driver, listing)
    try {
      return await listing.world
    } catch (cause) {
      this.#listings.delete(driver)
      throw new LaunchRefusedError('world_unknown', 'it is not known which machines there are', 1_000, { cause })
    }
  }
}

function refuseFull(
  { node, cell }: LaunchRequest,
  nodeLimit: number,
  permitted: readonly PermittedNode[],
  world: readonly NodeInstance[],
): void {
  // By machine: a second machine of one node is one more. A permitted node that has none yet counts as one.
  const machines = new Map<string, { readonly nodeId: string; readonly cellId: string }>()
  for (const machine of world) machines.set(machine.machineId, machine)
  const seen = new Set(world.map((machine) => machine.nodeId))
  for (const permit of permitted) if (!seen.has(permit.nodeId)) machines.set(`permit ${permit.nodeId}`, permit)
  const others = [...machines.values()].filter((machine) => machine.nodeId !== node.id)
  const allowed = machineLimit(slotsOf(cell.size))
  const ofCell = others.filter((machine) => machine.cellId === cell.id).length
  if (ofCell >= allowed) {
    throw new LaunchRefusedError('cell_full', `the cell has ${ofCell} machines and may have ${allowed} at once`, fullMs)
  }
  if (others.length >= nodeLimit) {
    const message = `the region ${cell.region} has ${others.length} machines and its nodeLimit is ${nodeLimit}`
    throw new LaunchRefusedError('region_full', message, fullMs)
  }
}

function backingOff(why: string, until: number, now: number): LaunchRefusedError {
  const seconds = Math.ceil((until - now) / 1000)
  return new LaunchRefusedError('backing_off', `${why}: the next launch comes in ${seconds} s`, until - now)
}
