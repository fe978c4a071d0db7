import { cellHost, namespaceHost } from '#libs/domain/names'
import { type FleetParts, fleetDomain } from './fleet-parts.ts'

/** What there is to be, as rows say, or what there is. Sorted lists, so that two of them can be compared. */
export interface Inventory {
  /** `<cell> <namespace> <retention days>` */
  readonly namespaces: readonly string[]
  /** `<node> <machine> <generation>` */
  readonly nodes: readonly string[]
  /** `<cell>/<slot> <node>`: where the public address of a slot leads. */
  readonly addresses: readonly string[]
  /** By cell. */
  readonly databases: readonly string[]
  /** `<name> <values>` */
  readonly names: readonly string[]
}

/** By the rows: everything that is not deleted, once. */
export async function inventoryOfRows({ admin }: FleetParts): Promise<Inventory> {
  const lines = async (select: string) =>
    (await admin.query<{ line: string }>(select)).rows.map(({ line }) => line).toSorted()
  const cells = await admin.query<{ id: string; addresses: readonly string[] | null }>(
    `select c.id, (select array_agg(public_address order by public_address) from nodes n where n.cell_id = c.id
       and n.state = 'ready' and public_address is not null) as addresses
     from cells c where c.state <> 'deleted'`,
  )
  const namespaces = await admin.query<{ id: string; cell_id: string }>(
    "select id, cell_id from namespaces where state <> 'deleted'",
  )
  return {
    namespaces: await lines(
      "select concat_ws(' ', cell_id, id, spec->>'retentionDays') as line from namespaces where state <> 'deleted'",
    ),
    nodes: await lines("select concat_ws(' ', id, machine_id, generation) as line from nodes where state <> 'deleted'"),
    addresses: await lines(
      "select cell_id || '/' || slot || ' ' || id as line from nodes where state <> 'deleted' and public_address is not null",
    ),
    databases: cells.rows.map(({ id }) => id).toSorted(),
    names: [
      ...cells.rows.map(({ id, addresses }) => `${cellHost(id, fleetDomain)} ${(addresses ?? []).toSorted().join()}`),
      ...namespaces.rows.map(
        ({ id, cell_id }) => `${namespaceHost(id, fleetDomain)} ${cellHost(cell_id, fleetDomain)}`,
      ),
    ].toSorted(),
  }
}

/** By the fakes themselves. */
export async function inventoryOfWorld(world: FleetParts): Promise<Inventory> {
  const machines = await world.driver.list()
  const resources = await world.driver.listResources()
  const namespaces: string[] = []
  for (const [cellId, cell] of world.cells) {
    for (const { name, retentionDays } of await cell.listNamespaces()) {
      // The namespaces of a cell go with its databases.
      if (world.databases.has(cellId)) namespaces.push(`${cellId} ${name} ${retentionDays}`)
    }
  }
  const names = await world.dns.list()
  return {
    namespaces: namespaces.toSorted(),
    nodes: machines.map(({ nodeId, machineId, generation }) => `${nodeId} ${machineId} ${generation}`).toSorted(),
    addresses: resources
      .map(({ cellId, owner }) => `${cellId}/${owner} ${world.driver.exposedNode(cellId, owner)}`)
      .toSorted(),
    databases: [...world.databases].toSorted(),
    names: names.map(({ name, record }) => `${name} ${(record?.values ?? []).toSorted().join()}`).toSorted(),
  }
}

/** Whether every row is settled, and every cell has as many nodes as it is to have. */
export async function isAtRest({ admin }: FleetParts): Promise<boolean> {
  const { rows } = await admin.query<{ open: number }>(
    `select (select count(*) from namespaces where state not in ('active', 'deleted'))
       + (select count(*) from cells where state not in ('ready', 'deleted')
            or (state = 'ready' and (conditions->'ready'->>'status')::boolean is not true))
       + (select count(*) from nodes n join cells c on c.id = n.cell_id where n.state <> 'deleted'
            and (n.state <> 'ready' or n.template <> c.node_template or n.retire_reason is not null))
       + (select count(*) from cells c where state = 'ready' and 3 <>
            (select count(distinct slot) from nodes n where n.cell_id = c.id and n.state = 'ready')) as open`,
  )
  return Number(rows[0]?.open) === 0
}
