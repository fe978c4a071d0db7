import type { FleetWorld } from './fleet-world.ts'

/** What happens to a cell of three nodes from its first day to its last. Each step of it can be asked for again and again. */
export class Life {
  readonly #world: FleetWorld
  #count = 0

  constructor(world: FleetWorld) {
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
  remove: ['describe', 'remove-from-edge', 'delete-from-cell', 'withdraw-name'],
  retire: ['get-node', 'delete-node', 'release-addresses', 'drop-databases', 'withdraw-cell-name'],
} as const satisfies Readonly<Record<keyof Life, readonly string[]>>

export type PartOfLife = keyof typeof partsOfLife
/** They ask, and change nothing. */
export const questions: readonly string[] = ['get-node', 'confirm-answering', 'describe']
export const lifeInOrder = Object.keys(partsOfLife) as readonly PartOfLife[]
