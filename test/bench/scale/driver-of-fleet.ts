import type { Client } from 'pg'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'

/** A driver that runs every node of the rows, as they are to be; rows of edges get the public addresses that it gave them. */
export async function driverOfFleet(client: Client): Promise<FakeDriver> {
  const fake = new FakeDriver({ startingReads: 0 })
  const { rows } = await client.query(
    'select id, cell_id, role, slot, generation::int as generation, template from nodes order by id',
  )
  const exposed: string[] = []
  for (const { id, cell_id: cellId, role, slot, generation, template } of rows) {
    const launch = { nodeId: id, cellId, role, slotId: slot, zone: 0, template, userData: '' }
    const { address = '' } = await fake.launch(launch)
    await fake.configure({ nodeId: id, cellId, generation, address, files: [], processes: [] })
    exposed.push(await fake.expose({ nodeId: id, cellId, slotId: slot }))
  }
  await client.query(
    `update nodes n set public_address = e.address from unnest($1::text[], $2::text[]) as e (id, address)
     where n.id = e.id and n.public_address is not null`,
    [rows.map(({ id }) => id), exposed],
  )
  await fake.list()
  fake.calls.length = 0
  return fake
}
