import { type Authorized, systemActor } from '#libs/authz'
import { failedState, isUnderWay, type NamespaceState, settledState } from '#libs/domain/namespaces'
import { planNexusEndpoint } from '#libs/domain/nexus-endpoints'
import type { Database } from '#libs/store'
import { getCell } from '#libs/store/cells'
import {
  failNexusEndpoint,
  type NexusEndpointFence,
  type NexusEndpointRow,
  placesOf,
  readNexusEndpoint,
  recordNexusEndpoint,
  settleNexusEndpoint,
  tenantOfNexusEndpoint,
} from '#libs/store/nexus-endpoints'
import type { Logger } from '#libs/telemetry'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import { executeStep, type NexusStepDeps } from './execute.ts'
import { desiredOf, observedOf } from './observed.ts'

export interface NexusEndpointReconcilerDeps extends NexusStepDeps {
  readonly database: Database
  readonly logger: Logger
}

type Proof = Authorized<'nexus_endpoint', 'update'>

const system = systemActor('nexus-endpoint-reconciler')
/** How long to wait for namespaces to be placed and for cells to come up, in milliseconds. */
const placedMs = 500

/** One pass over one Nexus endpoint: moves it as far towards its spec as goes without waiting. */
export async function reconcileNexusEndpoint(deps: NexusEndpointReconcilerDeps, endpointId: string): Promise<Next> {
  const tenantId = await tenantOfNexusEndpoint(deps.database.all, endpointId)
  if (tenantId === undefined) return settled
  const proof = system.authorize('nexus_endpoint', 'update', { tenantId, endpointId })
  return leasedPass(deps, 'nexus_endpoints', endpointId, async (holder) => {
    const row = await readNexusEndpoint(deps.database.all, proof)
    if (!isUnderWay(row.state)) return settled
    const fence = { holder, generation: row.generation }
    try {
      return await advance(deps, proof, fence)
    } catch (thrown) {
      const failed = { logger: deps.logger, about: { endpoint: row.id }, failures: row.failures, thrown }
      return await failedPass(failed, (waitingFor, failures, restMs) =>
        recordNexusEndpoint(deps.database.all, proof, fence, { waitingFor, failures, restMs }),
      )
    }
  })
}

async function advance(deps: NexusEndpointReconcilerDeps, proof: Proof, fence: NexusEndpointFence): Promise<Next> {
  for (;;) {
    const row = await readNexusEndpoint(deps.database.all, proof)
    const place = await placeOf(deps, row)
    if (place.kind === 'wait') return wait(deps, proof, fence, place.reason)
    if (place.kind === 'fail') return fail(deps, proof, row, place.reason)
    if (place.cellId !== row.cell_id && !hasTraces(row) && place.cellId !== null) {
      // It was on no cell, or has left the one that it was on.
      await recordNexusEndpoint(deps.database.all, proof, fence, { cellId: place.cellId })
      continue
    }
    const next = await advanceOnCell(deps, proof, fence, row, place.cellId)
    if (next !== undefined) return next
  }
}

/** Does the next step on the cell that the row is on. @returns undefined when there is more to do at once. */
async function advanceOnCell(
  deps: NexusEndpointReconcilerDeps,
  proof: Proof,
  fence: NexusEndpointFence,
  row: NexusEndpointRow,
  wantedCell: string | null,
): Promise<Next | undefined> {
  if (row.cell_id === null) return settle(deps, proof, fence, row.state)
  const cell = await getCell(deps.database.all, system.authorize('cell', 'read', { cellId: row.cell_id }))
  if (cell.state !== 'ready') return wait(deps, proof, fence, `the cell ${cell.id} is coming up`)
  const [step] = planNexusEndpoint(desiredOf(row, wantedCell !== row.cell_id), observedOf(row, deps.clock.now()))
  if (step === undefined || step.kind === 'done') {
    const moves = wantedCell !== null && wantedCell !== row.cell_id
    return moves ? undefined : settle(deps, proof, fence, row.state)
  }
  const next = await executeStep(deps, { row, cellId: row.cell_id, proof, fence }, step)
  return next.kind === 'again' ? next : undefined
}

type Place =
  /** Null: on none, since it is to be deleted. */
  | { readonly kind: 'on'; readonly cellId: string | null }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'fail'; readonly reason: string }

/**
 * The cell of the target, on which all callers have to be too: a router sends nothing to another cell, so that an endpoint
 * over two of them would be one that does not work.
 */
async function placeOf(deps: NexusEndpointReconcilerDeps, row: NexusEndpointRow): Promise<Place> {
  if (row.state === 'deleting') return { kind: 'on', cellId: null }
  const places = await placesOf(deps.database.all, row)
  for (const id of [row.target_namespace_id, ...row.allowed_namespace_ids]) {
    const cellId = places.get(id)
    if (cellId === undefined) return { kind: 'fail', reason: `namespace ${id} is not there any more` }
    if (cellId === null) return { kind: 'wait', reason: `namespace ${id} is placed on a cell` }
  }
  const cellId = places.get(row.target_namespace_id) ?? null
  const elsewhere = row.allowed_namespace_ids.filter((id) => places.get(id) !== cellId)
  if (elsewhere.length === 0) return { kind: 'on', cellId }
  return {
    kind: 'fail',
    reason:
      `${elsewhere.slice(0, 5).join(', ')} may not be allowed to call it: not on the same cell as its target ` +
      `${row.target_namespace_id}, and Nexus operations stay within a cell`,
  }
}

function hasTraces(row: NexusEndpointRow): boolean {
  return row.cell_observed !== null || row.edge_observed !== null
}

async function wait(
  deps: NexusEndpointReconcilerDeps,
  proof: Proof,
  fence: NexusEndpointFence,
  waitingFor: string,
): Promise<Next> {
  await recordNexusEndpoint(deps.database.all, proof, fence, { waitingFor })
  return again(placedMs)
}

async function settle(
  deps: NexusEndpointReconcilerDeps,
  proof: Proof,
  fence: NexusEndpointFence,
  state: NamespaceState,
): Promise<Next> {
  await deps.database.all.transaction().execute((trx) => settleNexusEndpoint(trx, proof, fence, settledState(state)))
  deps.logger.info(
    { endpoint: proof.target.endpointId, generation: fence.generation, state: settledState(state) },
    'settled',
  )
  return settled
}

async function fail(
  deps: NexusEndpointReconcilerDeps,
  proof: Proof,
  row: NexusEndpointRow,
  reason: string,
): Promise<Next> {
  const state = failedState(row.state)
  await deps.database.all
    .transaction()
    .execute((trx) => failNexusEndpoint(trx, proof, row.generation, { state, reason }))
  deps.logger.warn({ endpoint: row.id, generation: row.generation, reason }, 'failed')
  return settled
}
