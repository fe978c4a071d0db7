import { namespaceHost } from '#libs/domain/names'
import { ownerKey } from '../../../apps/provisioner/reconcilers/namespaces/execute.ts'
import { type FleetParts, fleetDomain } from './fleet-parts.ts'

/** What happens to a cell of three nodes from its first day to its last. Each step of it can be asked for again and again. */
export class Life {
  readonly #world: FleetParts
  #count = 0

  constructor(world: FleetParts) {
    this.#world = world
  }

  /** A namespace, and since cells take one each here, its cell. */
  async create(): Promise<void> {
    this.#count += 1
    const name = `life-${this.#count}`
    const spec = { name, regions: ['aws-us-east-1'], retentionDays: 3 }
    await this.#world.admin.query(
      `insert into namespaces (id, tenant_id, name, region, spec, created_by)
       values ($1, 'abcde', $2, 'aws-us-east-1', $3, 'usr-1')`,
      [`${name}.abcde`, name, spec],
    )
  }

  async change(): Promise<void> {
    await this.#world.admin.query(
      `update namespaces set state = 'updating', generation = generation + 1,
         spec = jsonb_set(spec, '{retentionDays}', to_jsonb((spec->>'retentionDays')::int + 1)) where state = 'active'`,
    )
  }

  /** The machine of the second node is gone. */
  async die(): Promise<void> {
    const { rows } = await this.#world.admin.query<{ id: string }>(
      "select id from nodes where state = 'ready' and slot = 'all-1' order by id limit 1",
    )
    this.#world.driver.lose(rows[0]?.id ?? '')
  }

  /** Every node is to be made from another image. */
  async renew(): Promise<void> {
    this.#count += 1
    await this.#world.admin.query(
      `update cells set node_template = node_template || jsonb_build_object('image', $1::text) where state = 'ready'`,
      [`image-${this.#count}`],
    )
  }

  /** Things turn up that no row owns any more, of every kind; and a name that a row wants is taken away. */
  async litter(): Promise<void> {
    const { admin, driver, dns, databases, clock } = this.#world
    this.#count += 1
    const { rows } = await admin.query<{ node: string; cell: string; namespace: string; live: string; name: string }>(
      `select n.id as node, n.cell_id as cell, s.id as namespace, l.cell_id as live, l.id as name
       from nodes n, namespaces s, namespaces l, cells c where n.state = 'deleted' and s.state = 'deleted' and l.state = 'active'
         and c.id = n.cell_id and c.state = 'deleted' limit 1`,
    )
    const [gone] = rows
    if (gone === undefined) throw new Error('nothing is gone yet')
    const { node: nodeId, cell: cellId, namespace, live, name } = gone
    const template = { serverVersion: '1.32.2' }
    await driver.launch({ nodeId, cellId, role: 'all', slotId: 'all-0', zone: 0, template, userData: '' })
    await driver.expose({ nodeId, cellId, slotId: 'all-0' })
    driver.leaveVolume({ id: `vol-${this.#count}`, cellId, owner: nodeId, createdAt: clock.now() })
    databases.add(cellId)
    const data = { [ownerKey]: 'abcde' }
    await this.#world.cell(live).registerNamespace({ name: namespace, retentionDays: 1, description: '', data })
    await dns.ensure({ name: namespaceHost(namespace, fleetDomain), type: 'CNAME', values: ['x'], ttl: 60 })
    await dns.remove(namespaceHost(name, fleetDomain))
  }

  async remove(): Promise<void> {
    await this.#world.admin.query(
      "update namespaces set state = 'deleting', generation = generation + 1 where state = 'active'",
    )
  }

  /** The cell goes. */
  async retire(): Promise<void> {
    await this.#world.admin.query("update cells set state = 'deleting' where state = 'ready'")
  }
}

/** Outward calls of each part of the life, in the order in which they come first. */
export const partsOfLife = {
  create: [
    'create-databases',
    'get-node',
    'launch-node',
    'configure-node',
    'expose-node',
    'confirm-answering',
    'publish-cell-name',
    'register',
    'publish-name',
    'serve-at-edge',
  ],
  change: ['update-retention', 'serve-at-edge'],
  die: ['get-node', 'delete-node', 'launch-node', 'configure-node', 'expose-node', 'confirm-answering'],
  renew: ['get-node', 'launch-node', 'configure-node', 'expose-node', 'delete-node', 'confirm-answering'],
  litter: [
    'collect-node',
    'collect-address',
    'collect-volume',
    'collect-database',
    'collect-namespace',
    'collect-name',
    'mend-name',
  ],
  remove: ['describe', 'remove-from-edge', 'delete-from-cell', 'withdraw-name'],
  retire: ['get-node', 'delete-node', 'release-addresses', 'drop-databases', 'withdraw-cell-name'],
} as const satisfies Readonly<Record<keyof Life, readonly string[]>>

export type PartOfLife = keyof typeof partsOfLife
/** They ask, and change nothing. */
export const questions: readonly string[] = ['get-node', 'confirm-answering', 'describe']
export const lifeInOrder = Object.keys(partsOfLife) as readonly PartOfLife[]
