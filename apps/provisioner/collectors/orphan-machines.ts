import { systemActor } from '#libs/authz'
import { slotsOf } from '#libs/domain/cells'
import type { Database } from '#libs/store'
import {
  type CellOwner,
  findCellOwner,
  findNodeOwner,
  knownCells,
  listCellOwners,
  listNodeOwners,
  type NodeOwner,
} from '#libs/store/owners'
import type { DriverResource, NodeDriver, NodeInstance } from '../drivers/contract.ts'
import { collectOrphans, type Orphan, type OrphanSource, type OrphansDeps } from './orphans.ts'

/** A driver, and which part of the fleet it runs. */
export interface DriverScope {
  /** Unique, and the same at every start: `local`, `ec2 aws-us-east-1`. */
  readonly name: string
  readonly driver: NodeDriver
  /** Ids of the regions that it serves. */
  readonly regions: readonly string[]
}

interface MachineOrphan extends Orphan {
  readonly resource: DriverResource | undefined
}

const system = systemActor('orphan-machines')

/**
 * Deletes machines, public addresses and volumes that no row owns. What a row owns:
 *
 * - a node row that is not `deleted`: the machine that it names, and the volumes that were made for it. While it is
 *   `deleting` its own reconciler takes them away; what is left when it is `deleted` is the collector's
 * - a cell row that is not `deleted`: the addresses of its slots, and of whatever slots its nodes fill
 *
 * A second machine of a node is an orphan once the row names the first. Node and cell ids are never used twice, and
 * `deleted` is for ever: what has no owner gets none later.
 * @returns how many things were deleted.
 * @throws DriverError when the driver cannot list; Error when what it lists is not to be believed.
 */
export async function collectOrphanMachines(deps: OrphansDeps, scope: DriverScope): Promise<number> {
  return collectOrphans(deps, orphanMachines(deps.database, scope))
}

/** The source behind `collectOrphanMachines`. */
function orphanMachines(database: Database, scope: DriverScope): OrphanSource<MachineOrphan> {
  const { driver } = scope
  const proof = system.authorize('orphan', 'update', { fleet: true })
  return {
    scope: `driver ${scope.name}`,
    kinds: ['node', 'machine', 'address', 'volume'],
    look: async () => {
      const machines = await driver.list()
      const resources = await driver.listResources()
      const nodes = new Map((await listNodeOwners(database.all, proof)).map((owner) => [owner.nodeId, owner]))
      refuseDoubtfulWorld(scope, machines, [...nodes.values()])
      const cells = new Map((await listCellOwners(database.all, proof)).map((owner) => [owner.cellId, owner]))
      const unowned = [...unownedMachines(machines, nodes), ...unownedResources(resources, machines, nodes, cells)]
      const known = await knownCells(
        database.all,
        proof,
        unowned.map(({ cellId }) => cellId),
      )
      return unowned.map((orphan) => ({ ...orphan, stranger: !known.has(orphan.cellId) }))
    },
    isStillUnowned: async ({ kind, id, cellId, resource }) => {
      const owner = resource?.owner ?? id
      if (kind === 'address') {
        const cell = await findCellOwner(database.all, proof, cellId)
        return !ownedSlots(cell === undefined ? [] : [cell], await listNodeOwners(database.all, proof)).has(
          slotKey(cellId, owner),
        )
      }
      const node = await findNodeOwner(database.all, proof, owner)
      if (node === undefined) return true
      return kind === 'machine' && node.machineId !== undefined && node.machineId !== id
    },
    remove: ({ id, resource }) => (resource === undefined ? driver.delete(id) : driver.deleteResource(resource)),
  }
}

/**
 * A listing that lacks most of what was seen a moment ago is cut off, or of another account: whatever else it says is not
 * acted on either.
 */
function refuseDoubtfulWorld(scope: DriverScope, machines: readonly NodeInstance[], nodes: readonly NodeOwner[]): void {
  const listed = new Set(machines.map((machine) => machine.nodeId))
  const seen = nodes.filter((node) => node.seen && scope.regions.includes(node.region))
  const missing = seen.filter((node) => !listed.has(node.nodeId)).length
  if (missing * 2 > seen.length) {
    throw new Error(
      `${scope.name} lists ${machines.length} machines and lacks ${missing} of ${seen.length} that were seen`,
    )
  }
}

function unownedMachines(
  machines: readonly NodeInstance[],
  nodes: ReadonlyMap<string, NodeOwner>,
): readonly MachineOrphan[] {
  const orphans: MachineOrphan[] = []
  for (const [nodeId, ofNode] of Map.groupBy(machines, (machine) => machine.nodeId)) {
    const owner = nodes.get(nodeId)
    const [first] = ofNode
    if (first === undefined) continue
    if (owner === undefined) {
      const createdAt = new Date(Math.max(...ofNode.map((machine) => machine.createdAt.getTime())))
      orphans.push({ kind: 'node', id: nodeId, cellId: first.cellId, stranger: false, resource: undefined, createdAt })
    } else if (ofNode.length > 1 && ofNode.some((machine) => machine.machineId === owner.machineId)) {
      // While the row names none of them, nobody knows which one is the node's.
      for (const { machineId, cellId, createdAt } of ofNode) {
        if (machineId === owner.machineId) continue
        const resource = { kind: 'machine', id: machineId, cellId, owner: nodeId, createdAt } as const
        orphans.push({ kind: 'machine', id: machineId, cellId, stranger: false, resource, createdAt })
      }
    }
  }
  return orphans
}

function unownedResources(
  resources: readonly DriverResource[],
  machines: readonly NodeInstance[],
  nodes: ReadonlyMap<string, NodeOwner>,
  cells: ReadonlyMap<string, CellOwner>,
): readonly MachineOrphan[] {
  // It goes with its machine.
  const attached = new Set(machines.map((machine) => machine.nodeId))
  const slots = ownedSlots([...cells.values()], [...nodes.values()])
  const isOwned = ({ kind, cellId, owner }: DriverResource) =>
    kind === 'address' ? slots.has(slotKey(cellId, owner)) : nodes.has(owner) || attached.has(owner)
  return resources
    .filter((resource) => !isOwned(resource))
    .map((resource) => ({
      kind: resource.kind,
      id: resource.id,
      cellId: resource.cellId,
      stranger: false,
      resource,
      ...(resource.createdAt === undefined ? {} : { createdAt: resource.createdAt }),
    }))
}

function ownedSlots(cells: readonly CellOwner[], nodes: readonly NodeOwner[]): ReadonlySet<string> {
  return new Set([
    ...cells.flatMap(({ cellId, size }) => slotsOf(size).map((slot) => slotKey(cellId, slot.id))),
    ...nodes.map(({ cellId, slotId }) => slotKey(cellId, slotId)),
  ])
}

function slotKey(cellId: string, slotId: string): string {
  return `${cellId}/${slotId}`
}
