import { status } from '@grpc/grpc-js'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endpointsPath, NexusFixture, specOf, to } from './nexus-fixture.ts'

let nexus: NexusFixture
beforeAll(async () => {
  nexus = await NexusFixture.start()
})
afterAll(() => nexus.close())

describe('who may', () => {
  test('a developer, with the target under administration, present and future', async () => {
    const developer = await nexus.grant('aaaaa', 'developer', { 'target.aaaaa': 'admin', 'caller.aaaaa': 'read' })
    const id = await nexus.newEndpoint('by-developer', {}, developer.token)
    const update = (change: object) =>
      nexus.api.rest(developer.token, 'POST', `${endpointsPath}/${id}`, {
        spec: specOf('by-developer', change),
        resourceVersion: '1',
      })
    expect((await update(to('other.aaaaa'))).status).toBe(404)
    expect((await update(to('caller.aaaaa'))).body.code).toBe(status.PERMISSION_DENIED)
    expect((await nexus.create(specOf('elsewhere', to('caller.aaaaa')), developer.token)).body.code).toBe(
      status.PERMISSION_DENIED,
    )
    const foreign = await nexus.newEndpoint('of-other-target', to('other.aaaaa'))
    const takeOver = { spec: specOf('of-other-target'), resourceVersion: '1' }
    expect((await nexus.api.rest(developer.token, 'POST', `${endpointsPath}/${foreign}`, takeOver)).status).toBe(404)
    expect(
      (await nexus.api.rest(developer.token, 'DELETE', `${endpointsPath}/${foreign}?resourceVersion=1`)).status,
    ).toBe(404)
    expect((await update({ policySpecs: [] })).status).toBe(200)
  })

  test('nobody else changes anything, and nobody without credentials sees anything', async () => {
    const id = await nexus.newEndpoint('guarded')
    const namespaceAdmin = await nexus.grant('aaaaa', 'read', { 'target.aaaaa': 'admin' })
    const body = { spec: specOf('guarded', { policySpecs: [] }), resourceVersion: '1' }
    for (const { token } of [namespaceAdmin, await nexus.api.newUser('aaaaa', 'finance_admin')]) {
      expect((await nexus.create(specOf('unwanted'), token)).body.code).toBe(status.PERMISSION_DENIED)
      expect((await nexus.api.rest(token, 'POST', `${endpointsPath}/${id}`, body)).body.code).toBe(
        status.PERMISSION_DENIED,
      )
      expect((await nexus.api.rest(token, 'DELETE', `${endpointsPath}/${id}?resourceVersion=1`)).body.code).toBe(
        status.PERMISSION_DENIED,
      )
      expect((await nexus.api.rest(token, 'GET', `${endpointsPath}/${id}`)).status).toBe(200)
    }
    for (const [method, url] of [
      ['GET', endpointsPath],
      ['GET', `${endpointsPath}/${id}`],
      ['POST', endpointsPath],
      ['POST', `${endpointsPath}/${id}`],
      ['DELETE', `${endpointsPath}/${id}`],
    ] as const) {
      expect((await nexus.api.rest('', method, url, method === 'POST' ? {} : undefined)).status).toBe(401)
    }
  })
})

test('row-level security alone keeps tenants apart', async () => {
  await nexus.newEndpoint('walled')
  await nexus.newEndpoint('walled', { ...to('target.bbbbb'), policySpecs: [] }, nexus.stranger.token)
  const client = new Client({ connectionString: nexus.api.roleUrl('aqueduct_api') })
  await client.connect()
  try {
    expect((await client.query('select id from nexus_endpoints')).rows).toEqual([])
    await client.query("select set_config('aqueduct.tenant_id', 'bbbbb', false)")
    const { rows } = await client.query('select distinct tenant_id from nexus_endpoints')
    expect(rows).toEqual([{ tenant_id: 'bbbbb' }])
    expect((await client.query("update nexus_endpoints set name = 'x' where tenant_id = 'aaaaa'")).rowCount).toBe(0)
    await expect(client.query('update nexus_endpoints set served = true')).rejects.toThrow('permission denied')
  } finally {
    await client.end()
  }
})
