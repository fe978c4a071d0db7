import { type Authorized, systemActor } from '#libs/authz'
import { type ObservedNode, planNode } from '#libs/domain/cells'
import { enqueue } from '#libs/jobs'
import { type CellRow, getCell } from '#libs/store/cells'
import { bumpNodeGeneration, getNode, type NodeRow, recordNode } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { fits, knownSchema } from '../../cells/database-schema.ts'
import { DriverError, type NodeDriver, type NodeInstance, type NodeLaunch } from '../../drivers/contract.ts'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import type { Outward } from '../outward.ts'
import { readyCondition } from '../ready-condition.ts'
import { type ManifestDeps, manifestOf, manifestSettings } from './manifest.ts'

export interface NodeReconcilerDeps extends ManifestDeps {
  readonly outward: Outward
  readonly logger: Logger
  /** The driver of that name. @throws Error when it is not available here */
  readonly driver: (name: string) => NodeDriver
}

type Proof = Authorized<'node', 'update'>

const system = systemActor('node-reconciler')
/** Milliseconds between two looks at a node that starts. */
const startingMs = 200

/** One pass over one node: makes it, brings it up to its manifest, replaces it when it failed, or takes it away. */
export async function reconcileNode(deps: NodeReconcilerDeps, nodeId: string): Promise<Next> {
  const proof = system.authorize('node', 'update', { nodeId })
  return leasedPass(deps, 'nodes', nodeId, async (holder) => {
    const row = await getNode(deps.database.all, proof)
    if (row.state === 'deleted') return settled
    try {
      return await advance(deps, proof, holder, row)
    } catch (thrown) {
      const failed = {
        logger: deps.logger,
        about: { node: row.id, cell: row.cell_id },
        failures: row.failures,
        thrown,
      }
      return await failedPass(failed, (reason, failures, restMs) =>
        recordNode(deps.database.all, proof, holder, {
          conditions: readyCondition(row.conditions, false, reason),
          failures,
          restMs,
        }),
      )
    }
  })
}

async function advance(deps: NodeReconcilerDeps, proof: Proof, holder: string, row: NodeRow): Promise<Next> {
  const driver = deps.driver(row.driver)
  const cell = await getCell(deps.database.all, system.authorize('cell', 'read', { cellId: row.cell_id }))
  const deleted = row.state === 'deleting'
  // The databases come first, and go last: a node without them would only fail.
  if (!deleted && knownSchema(cell) === undefined) return settled
  const settings = manifestSettings(deps, row)
  // A server is not told of columns before they are there; what a node needs otherwise, it gets meanwhile.
  if (!deleted && isOutdated(cell, row, settings)) {
    await bumpNodeGeneration(deps.database.all, proof)
    await recordNode(deps.database.all, proof, holder, { manifestSettings: settings })
    return again(0)
  }
  const observed = await look(deps, driver, row.id)
  const isAtItsManifest = observed.kind === 'present' && observed.generation >= row.generation
  // Not before the node has come to its manifest: however fast limits change, it gets one manifest after the other.
  if (!deleted && row.limits_version < cell.limits_version && (isAtItsManifest || observed.kind === 'absent')) {
    await bumpNodeGeneration(deps.database.all, proof, cell.limits_version)
    return again(0)
  }
  const [step] = planNode({ nodeId: row.id, generation: row.generation, deleted }, observed)
  const record = (fields: Parameters<typeof recordNode>[3]) => recordNode(deps.database.all, proof, holder, fields)
  if (isAtItsManifest && row.limits_held < row.limits_version) {
    await record({ limitsHeld: { version: row.limits_version, at: deps.clock.now() } })
  }
  const condition = (ready: boolean, detail: string) => readyCondition(row.conditions, ready, detail)
  switch (step?.kind) {
    case 'launch-node': {
      // A server does not start on a schema that is older than it wants. The cell brings that, and wakes its nodes.
      if (!fits(knownSchema(cell), row.template.serverVersion)) return settled
      await record({ observed: { kind: 'unknown' } })
      const made = await deps.outward('launch-node', () => driver.launch(launchOf(row)))
      await record({ observed: present(made), address: made.address ?? null })
      return again(0)
    }
    case 'configure-node': {
      const manifest = await manifestOf(deps, cell, row, step.address)
      await record({ address: step.address, observed: { kind: 'unknown' }, manifestSettings: settings })
      await deps.outward('configure-node', () => driver.configure(manifest))
      return again(startingMs)
    }
    case 'await-node':
      await record({
        observed,
        conditions: condition(false, step.detail),
        state: row.state === 'ready' ? 'creating' : row.state,
      })
      return again(startingMs)
    case 'delete-node':
      await record({ observed: { kind: 'unknown' } })
      await deps.outward('delete-node', () => driver.delete(row.id))
      await record({ observed: null, address: null })
      return again(0)
    default:
      await record({
        observed: deleted ? null : observed,
        state: deleted ? 'deleted' : 'ready',
        conditions: condition(!deleted, ''),
        failures: 0,
      })
      if (row.state !== 'ready') await enqueue(deps.database.all, 'reconcile-cell', { cellId: row.cell_id })
      return settled
  }
}

/** Whether its last manifest came from other settings, and servers may be told of the present ones. */
function isOutdated(cell: CellRow, { template, manifest_settings: last }: NodeRow, settings: string): boolean {
  return last !== null && last !== settings && fits(knownSchema(cell), template.serverVersion)
}

async function look(deps: NodeReconcilerDeps, driver: NodeDriver, nodeId: string): Promise<ObservedNode> {
  try {
    return present(await deps.outward('get-node', () => driver.get(nodeId)))
  } catch (thrown) {
    if (thrown instanceof DriverError && thrown.kind === 'not_found') return { kind: 'absent' }
    throw thrown
  }
}

function present({ state, generation, detail, address }: NodeInstance): ObservedNode {
  return { kind: 'present', state, generation, detail, ...(address === undefined ? {} : { address }) }
}

function launchOf(row: NodeRow): NodeLaunch {
  return {
    nodeId: row.id,
    cellId: row.cell_id,
    role: row.role,
    slotId: row.slot,
    zone: row.zone_preference,
    template: row.template,
    userData: '',
  }
}
