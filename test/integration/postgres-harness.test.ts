import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { createTestDatabase, postgresAdminUrl } from '../harness/postgres.ts'

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}

describe('the test databases', () => {
  it('are separate, and dropped for good', async () => {
    const first = await createTestDatabase()
    const second = await createTestDatabase()
    const client = await connect(first.adminUrl)
    await client.query('CREATE TABLE mark (id int)')
    const other = await connect(second.adminUrl)
    const { rows } = await other.query("SELECT to_regclass('mark') AS mark")
    expect(rows).toEqual([{ mark: null }])
    await client.end()
    await other.end()
    await first.drop()
    await second.drop()
    await expect(connect(first.adminUrl)).rejects.toThrow('does not exist')
  })

  it('hold the schema, and let the parts in as their roles', async () => {
    const database = await createTestDatabase()
    const client = await connect(database.roleUrl('aqueduct_provisioner'))
    const { rows } = await client.query("SELECT to_regclass('tenants')::text AS found, current_user::text AS role")
    expect(rows).toEqual([{ found: 'tenants', role: 'aqueduct_provisioner' }])
    await client.end()
    await database.drop()
  })

  it('cannot be dropped while a connection leaks', async () => {
    const database = await createTestDatabase()
    const leak = await connect(database.adminUrl)
    await expect(database.drop()).rejects.toThrow('being accessed by other users')
    await leak.end()
    await database.drop()
  })
})

describe('the test server', () => {
  it('asks for the password', async () => {
    const url = new URL(postgresAdminUrl())
    url.password = 'wrong'
    await expect(connect(url.href)).rejects.toThrow('password authentication failed')
  })

  it('lets 400 in', async () => {
    const client = await connect(postgresAdminUrl())
    const { rows } = await client.query('SHOW max_connections')
    await client.end()
    expect(rows).toEqual([{ max_connections: '400' }])
  })
})
