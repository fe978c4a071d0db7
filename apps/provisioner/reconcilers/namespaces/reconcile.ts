import { type Authorized, systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import { failedState, isUnderWay, type NamespaceState, plan, settledState } from '#libs/domain/namespaces'
import { enqueue } from '#libs/jobs'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { getCell, newCellTemplate, placeNamespace } from '#libs/store/cells'
import {
  failNamespace,
  type NamespaceRow,
  readNamespace,
  recordNamespace,
  settleNamespace,
} from '#libs/store/namespaces'
import type { Logger } from '#libs/telemetry'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import { executeStep } from './execute.ts'
import { desiredOf, observedOf } from './observed.ts'
import type { StepDeps } from './step-target.ts'

export interface NamespaceReconcilerDeps extends StepDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly regions: readonly Region[]
  /** Namespaces that a cell takes before the next one is made. */
  readonly namespaceLimit: number
  readonly clock: Clock
  readonly logger: Logger
}

type Proof = Authorized<'namespace', 'update'>

const system = systemActor('namespace-reconciler')
/** How long to wait for a cell that comes up; the cell wakes its namespaces when it is ready, this is for lost wake-ups. */
const cellComesUpMs = 2_000

/** One pass over one namespace: moves it as far towards its spec as goes without waiting. */
export async function reconcileNamespace(deps: NamespaceReconcilerDeps, namespaceId: string): Promise<Next> {
  const proof = system.authorize('namespace', 'update', { tenantId: tenantOf(namespaceId), namespaceId })
  return leasedPass(deps, 'namespaces', namespaceId, async (holder) => {
    const row = await readNamespace(deps.database.all, proof)
    if (!isUnderWay(row.state)) return settled
    try {
      return await advance(deps, proof, holder, row)
    } catch (thrown) {
      const failed = { logger: deps.logger, about: { namespace: row.id }, failures: row.failures, thrown }
      const fence = { holder, generation: row.generation }
      return await failedPass(failed, (waitingFor, failures, restMs) =>
        recordNamespace(deps.database.all, proof, fence, { waitingFor, failures, restMs }),
      )
    }
  })
}

async function advance(
  deps: NamespaceReconcilerDeps,
  proof: Proof,
  holder: string,
  first: NamespaceRow,
): Promise<Next> {
  const fence = { holder, generation: first.generation }
  const { all } = deps.database
  if (first.cell_id === null) {
    if (first.state === 'deleting') return settle(deps, proof, fence, first.state)
    await place(deps, proof, first)
  }
  let row = await readNamespace(all, proof)
  const cell = await getCell(all, system.authorize('cell', 'read', { cellId: row.cell_id ?? '' }))
  if (cell.state !== 'ready') {
    await recordNamespace(all, proof, fence, { waitingFor: `the cell ${cell.id} in ${cell.region} is coming up` })
    return again(cellComesUpMs)
  }
  for (;;) {
    const [step] = plan(desiredOf(row, deps.names.targetOf(cell.region, cell.id)), observedOf(row, deps.clock.now()))
    if (step === undefined || step.kind === 'done') return settle(deps, proof, fence, row.state)
    if (step.kind === 'fail') {
      await fail(deps, proof, row, step.reason)
      return settled
    }
    const next = await executeStep(deps, { row, cell, proof, fence }, step)
    if (next.kind === 'again') return next
    row = await readNamespace(all, proof)
  }
}

async function place(deps: NamespaceReconcilerDeps, proof: Proof, row: NamespaceRow): Promise<void> {
  const region = deps.regions.find((candidate) => candidate.id === row.region)
  if (region === undefined) throw new Error(`the region ${row.region} is not configured any more`)
  const template = newCellTemplate(region, deps.namespaceLimit, deps.sealer)
  const mayCreate = system.authorize('cell', 'create', { fleet: true })
  await deps.database.all.transaction().execute(async (trx) => {
    const { cellId, created } = await placeNamespace(trx, proof, mayCreate, template)
    // One that was there is woken by others; for each placement once more, a hundred of them would stand in a line.
    if (created) await enqueue(trx, 'reconcile-cell', { cellId })
  })
}

async function settle(
  deps: NamespaceReconcilerDeps,
  proof: Proof,
  fence: { readonly holder: string; readonly generation: number },
  state: NamespaceState,
): Promise<Next> {
  await deps.database.all.transaction().execute((trx) => settleNamespace(trx, proof, fence, settledState(state)))
  deps.logger.info(
    { namespace: proof.target.namespaceId, generation: fence.generation, state: settledState(state) },
    'settled',
  )
  return settled
}

async function fail(deps: NamespaceReconcilerDeps, proof: Proof, row: NamespaceRow, reason: string): Promise<void> {
  await deps.database.all
    .transaction()
    .execute((trx) => failNamespace(trx, proof, row.generation, failedState(row.state), reason))
  deps.logger.warn({ namespace: row.id, generation: row.generation, reason }, 'failed')
}

/** `<name>.<tenant id>` */
function tenantOf(namespaceId: string): string {
  return namespaceId.slice(namespaceId.lastIndexOf('.') + 1)
}
