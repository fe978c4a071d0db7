import { type Authorized, systemActor } from '#libs/authz'
import { type DesiredNode, planNode } from '#libs/domain/cells'
import { hasEdge, templateHash } from '#libs/domain/nodes'
import { type CellRow, getCell } from '#libs/store/cells'
import { bumpNodeGeneration, getNode, type NodeRecord, type NodeRow, recordNode } from '#libs/store/nodes'
import { fits, knownSchema } from '../../cells/database-schema.ts'
import { DriverError, type NodeDriver, type NodeInstance } from '../../drivers/contract.ts'
import { failedPass } from '../failed-pass.ts'
import { leasedPass } from '../leased-pass.ts'
import { again, type Next, settled } from '../next.ts'
import { readyCondition } from '../ready-condition.ts'
import { executeNodeStep, type NodePass, type NodeReconcilerDeps, observedOf, wakeCell } from './execute.ts'
import { manifestSettings } from './manifest.ts'

type Proof = Authorized<'node', 'update'>

const system = systemActor('node-reconciler')

/** One pass over one node: makes it, brings it up to its manifest, says that it is dead when it is, or takes it away. */
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
  const { all } = deps.database
  // It will never work again: its cell takes it away.
  if (row.state === 'failed') return settled
  const cell = await getCell(all, system.authorize('cell', 'read', { cellId: row.cell_id }))
  const driver = deps.driver(cell.region)
  const deleted = row.state === 'deleting'
  // The databases come first, and go last: a node without them would only fail.
  if (!deleted && knownSchema(cell) === undefined) return settled
  const settings = manifestSettings(deps, row)
  // A server is not told of columns before they are there; what a node needs otherwise, it gets meanwhile.
  if (!deleted && isOutdated(cell, row, settings)) {
    await bumpNodeGeneration(all, proof)
    await recordNode(all, proof, holder, { manifestSettings: settings })
    return again(0)
  }
  const instance = await look(deps, driver, row.id)
  const pass: NodePass = {
    row,
    cell,
    driver,
    instance,
    settings,
    record: (fields) => recordNode(all, proof, holder, fields),
  }
  await takeNote(deps, pass)
  const observed = observedOf(instance)
  const isAtItsManifest = observed.kind === 'present' && observed.generation >= row.generation
  // Not before the node has come to its manifest: however fast limits change, it gets one manifest after the other.
  if (!deleted && row.limits_version < cell.limits_version && (isAtItsManifest || observed.kind === 'absent')) {
    await bumpNodeGeneration(all, proof, cell.limits_version)
    return again(0)
  }
  if (isAtItsManifest && row.limits_held < row.limits_version) {
    await pass.record({ limitsHeld: { version: row.limits_version, at: deps.clock.now() } })
  }
  const [step] = planNode(desiredOf(row, cell, instance), observed)
  // Whatever it still is, it is not for long.
  if (row.state === 'draining' && step?.kind !== 'fail-node') return settled
  return executeNodeStep(deps, pass, step ?? { kind: 'done' })
}

/** Writes down what the driver says of the machine and the row does not. */
async function takeNote(deps: NodeReconcilerDeps, { row, instance, record }: NodePass): Promise<void> {
  const news = instance === undefined ? undefined : newsOf(row, instance, deps.clock.now())
  if (news === undefined) return
  await record(news)
  if (news.retire !== undefined) await wakeCell(deps, row)
}

/** What the row asks for, and its cell. */
export function desiredOf(row: NodeRow, cell: CellRow, instance: NodeInstance | undefined): DesiredNode {
  return {
    nodeId: row.id,
    generation: row.generation,
    deleted: row.state === 'deleting',
    seen: row.seen_at !== null,
    launched: row.observed !== null,
    hidden: hasEdge(row.role) && (row.public_address === null || hasLostAddress(row, cell, instance)),
  }
}

/**
 * Whether the address of its slot leads elsewhere though the node is the slot's: a call that was under way for minutes has given it
 * back to the node before. One that is on its way out takes it from nobody.
 */
function hasLostAddress(row: NodeRow, cell: CellRow, instance: NodeInstance | undefined): boolean {
  if (row.state !== 'ready' || instance?.state !== 'ready' || instance.publicAddress === row.public_address)
    return false
  return row.retire_reason === null && templateHash(row.template) === templateHash(cell.node_template)
}

/** Whether its last manifest came from other settings, and servers may be told of the present ones. */
export function isOutdated(cell: CellRow, { template, manifest_settings: last }: NodeRow, settings: string): boolean {
  return last !== null && last !== settings && fits(knownSchema(cell), template.serverVersion)
}

async function look(deps: NodeReconcilerDeps, driver: NodeDriver, nodeId: string): Promise<NodeInstance | undefined> {
  try {
    return await deps.outward('get-node', () => driver.get(nodeId))
  } catch (thrown) {
    if (thrown instanceof DriverError && thrown.kind === 'not_found') return undefined
    throw thrown
  }
}

/** What the driver says of the machine and the row does not; undefined when that is nothing. */
export function newsOf(row: NodeRow, instance: NodeInstance, now: Date): NodeNews | undefined {
  const { machineId, zone = null, instanceType = null, notice } = instance
  const isKnown = row.machine_id === machineId && row.machine_zone === zone && row.instance_type === instanceType
  const isNotice = notice !== undefined && row.retire_by?.getTime() !== notice.at.getTime()
  const news: NodeNews = {
    ...(isKnown ? {} : { machine: { id: machineId, zone, instanceType } }),
    ...(row.seen_at === null ? { seenAt: now } : {}),
    ...(isNotice ? { retire: { reason: `${notice.kind}: ${notice.detail}`, by: notice.at } } : {}),
  }
  return Object.keys(news).length === 0 ? undefined : news
}

type NodeNews = Pick<NodeRecord, 'machine' | 'seenAt' | 'retire'>
