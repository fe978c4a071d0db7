import type { Client } from 'pg'
import { FakeDriver } from '../../../apps/provisioner/drivers/fake/driver.ts'

/** A driver that runs every node of the rows, as they are to be. */
export async function driverOfFleet(client: Client): Promise<FakeDriver> {
  const fake = new FakeDriver({ startingReads: 0 })
  const { rows } = await client.query(
    'select id, cell_id, role, slot, generation::int as generation, template from nodes order by id',
  )
  for (const { id, cell_id: cellId, role, slot, generation, template } of rows) {
    const launch = { nodeId: id, cellId, role, slotId: slot, zone: 0, template, userData: '' }
    const { address = '' } = await fake.launch(launch)
    await fake.configure({ nodeId: id, cellId, generation, address, files: [], processes: [] })
    await fake.expose({ nodeId: id, cellId, slotId: slot })
  }
  await fake.list()
  fake.calls.length = 0
  return fake
}
