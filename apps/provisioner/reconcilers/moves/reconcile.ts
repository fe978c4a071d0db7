import { type Authorized, systemActor } from '#libs/authz'
import { assertNever, type Clock } from '#libs/base'
import { type MoveStep, planMove } from '#libs/domain/moves'
import { isUnderWay } from '#libs/domain/namespaces'
import { enqueue } from '#libs/jobs'
import type { Database } from '#libs/store'
import { type CellRow, getCell } from '#libs/store/cells'
import { getMove, isPairInUse, type MoveRow, placeMoved, recordMove } from '#libs/store/moves'
import { type NamespaceRow, readNamespace } from '#libs/store/namespaces'
import type { Logger } from '#libs/telemetry'
import { type CellClient, CellError } from '../../temporal/cell-client.ts'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'

export interface MoveReconcilerDeps {
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly outward: Outward
  readonly cellClient: (cellId: string) => Promise<CellClient>
  /** `host:port` at which nodes of other cells reach this one's internal-frontend; undefined while no node is ready. */
  readonly replicationAddress: (cellId: string) => Promise<string | undefined>
  /** Milliseconds during which a namespace's old cell passes its calls on. */
  readonly passOnMs: number
}

interface MoveTarget {
  readonly row: MoveRow
  readonly namespace: NamespaceRow
  readonly source: CellRow
  readonly target: CellRow
  readonly onSource: CellClient
  readonly onTarget: CellClient
  readonly proof: Authorized<'move', 'update'>
  readonly holder: string
}

const system = systemActor('move-reconciler')
/** Milliseconds until the next look at what takes its time. */
const lagsMs = 500

/** One pass over one move: looks at both cells, and does the next step. What is done is seen in the world, not remembered. */
export async function reconcileMove(deps: MoveReconcilerDeps, moveId: string): Promise<Next> {
  const proof = system.authorize('move', 'update', { moveId })
  const { all } = deps.database
  return leasedPass(deps, 'moves', moveId, async (holder) => {
    const row = await getMove(all, proof)
    if (row.finished_at !== null) return settled
    try {
      const target = await read(deps, row, proof, holder)
      return await execute(deps, target, planMove(await look(deps, target)))
    } catch (thrown) {
      const about = { move: row.id, namespace: row.namespace_id }
      return await failedPass(
        { logger: deps.logger, about, failures: row.failures, thrown },
        (waitingFor, failures, restMs) => recordMove(all, proof, holder, { waitingFor, failures, restMs }),
      )
    }
  })
}

async function read(
  deps: MoveReconcilerDeps,
  row: MoveRow,
  proof: MoveTarget['proof'],
  holder: string,
): Promise<MoveTarget> {
  const { all } = deps.database
  const { namespace_id: namespaceId, source_cell_id: source, target_cell_id: target } = row
  const tenantId = namespaceId.slice(namespaceId.lastIndexOf('.') + 1)
  return {
    row,
    proof,
    holder,
    namespace: await readNamespace(all, system.authorize('namespace', 'update', { tenantId, namespaceId })),
    source: await getCell(all, system.authorize('cell', 'read', { cellId: source })),
    target: await getCell(all, system.authorize('cell', 'read', { cellId: target })),
    onSource: await deps.cellClient(source),
    onTarget: await deps.cellClient(target),
  }
}

async function look(deps: MoveReconcilerDeps, move: MoveTarget): Promise<Parameters<typeof planMove>[0]> {
  const { row, namespace, source, target, onSource, onTarget } = move
  const { copy, handOver } = workOf(row)
  const isDeleted = namespace.state === 'deleting' || namespace.state === 'deleted'
  return {
    state: row.state,
    inStateMs: deps.clock.now().getTime() - row.state_since.getTime(),
    sourceCluster: source.cluster_name,
    targetCluster: target.cluster_name,
    connected: (await missing(deps, move)).length === 0,
    onSource: await onSource.replication.see(row.namespace_id),
    onTarget: await onTarget.replication.see(row.namespace_id),
    replication: row.state === 'replicating' ? await onSource.replication.workState(copy) : 'none',
    handOver: row.state === 'handing_over' ? await onSource.replication.workState(handOver) : 'none',
    unwanted: row.abort_reason !== null || isDeleted,
    // Its deletion waits for the end of the move: see deleteFromCell.
    settledOnTarget: namespace.cell_id === target.id && (isDeleted || !isUnderWay(namespace.state)),
    passOnMs: isDeleted ? 0 : deps.passOnMs,
  }
}

/** Of the two cells, who does not know the other one at the right address. */
async function missing(deps: MoveReconcilerDeps, { source, target, onSource, onTarget }: MoveTarget) {
  const pairs = [
    { on: onSource, other: target },
    { on: onTarget, other: source },
  ]
  const found: { readonly on: CellClient; readonly address: string }[] = []
  for (const { on, other } of pairs) {
    const address = await deps.replicationAddress(other.id)
    if (address === undefined) throw new CellError('unavailable', `the cell ${other.id} has no node that is ready`)
    const known = (await on.replication.remotes()).find(({ name }) => name === other.cluster_name)
    if (known?.address !== address) found.push({ on, address })
  }
  return found
}

async function execute(deps: MoveReconcilerDeps, move: MoveTarget, step: MoveStep): Promise<Next> {
  const { row, source, target, onSource, onTarget } = move
  const name = row.namespace_id
  const { copy, handOver } = workOf(row)
  switch (step.kind) {
    case 'become':
      return become(deps, move, step.state)
    case 'wait':
      await record(deps, move, { waitingFor: step.for, failures: 0, restMs: lagsMs })
      return again(lagsMs)
    case 'connect':
      await record(deps, move, { waitingFor: 'the two cells trust each other', restMs: lagsMs })
      for (const { on, address } of await missing(deps, move)) {
        await deps.outward('connect-cells', () => on.replication.addRemote(address))
      }
      return again(0)
    case 'join-target':
      await deps.outward('promote', () => onSource.replication.promote(name))
      await deps.outward('join-target', () =>
        onSource.replication.setClusters(name, [source.cluster_name, target.cluster_name]),
      )
      return again(0)
    case 'replicate':
      await deps.outward('copy-histories', () => onSource.replication.startCopy(copy, name, target.cluster_name))
      return again(lagsMs)
    case 'hand-over':
      await deps.outward('hand-over', () => onSource.replication.startHandOver(handOver, name, target.cluster_name))
      return again(lagsMs)
    case 'place':
      return place(deps, move)
    case 'leave-source':
      await deps.outward('leave-source', () => onTarget.replication.setClusters(name, [target.cluster_name]))
      return again(lagsMs)
    case 'leave-target':
      await deps.outward('leave-target', () => onSource.replication.setClusters(name, [source.cluster_name]))
      return again(lagsMs)
    case 'delete-at-source':
      await deps.outward('delete-at-source', () => onSource.deleteNamespace(name))
      return again(0)
    case 'delete-at-target':
      await deps.outward('delete-at-target', () => onTarget.deleteNamespace(name))
      return again(0)
    case 'disconnect':
      return disconnect(deps, move, step.end)
    default:
      return assertNever(step)
  }
}

async function place(deps: MoveReconcilerDeps, move: MoveTarget): Promise<Next> {
  const { row, proof, holder } = move
  await deps.database.all.transaction().execute(async (trx) => {
    await recordMove(trx, proof, holder, { state: 'switching' })
    await placeMoved(trx, proof, row)
    await enqueue(trx, 'reconcile-namespace', { namespaceId: row.namespace_id })
  })
  deps.logger.info({ move: row.id, namespace: row.namespace_id, cell: row.target_cell_id }, 'namespace handed over')
  return again(lagsMs)
}

async function become(deps: MoveReconcilerDeps, move: MoveTarget, state: MoveRow['state']): Promise<Next> {
  await record(deps, move, { state })
  return again(0)
}

/** The cells forget each other with their last move; from then on neither lets the other in. */
async function disconnect(deps: MoveReconcilerDeps, move: MoveTarget, end: 'done' | 'aborted'): Promise<Next> {
  const { row, source, target, onSource, onTarget, proof } = move
  if (!(await isPairInUse(deps.database.all, proof, row))) {
    await deps.outward('disconnect-cells', () => onSource.replication.removeRemote(target.cluster_name))
    await deps.outward('disconnect-cells', () => onTarget.replication.removeRemote(source.cluster_name))
  }
  await record(deps, move, { state: end })
  deps.logger.info({ move: row.id, namespace: row.namespace_id, end }, 'move ended')
  return settled
}

async function record(
  deps: MoveReconcilerDeps,
  { proof, holder }: MoveTarget,
  fields: Parameters<typeof recordMove>[3],
): Promise<void> {
  await recordMove(deps.database.all, proof, holder, fields)
}

/** Ids of the server's workflows that do the work: one of each for a move. */
function workOf({ id }: MoveRow): { readonly copy: string; readonly handOver: string } {
  return { copy: `aqueduct-copy-${id}`, handOver: `aqueduct-hand-over-${id}` }
}
