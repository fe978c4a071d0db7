import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownCa } from '../certificates.ts'
import { type Cloud, closeClients, cloudOf, done, nothingToChange, refusal, refused } from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { createKey, createServiceAccount, signUp, type Tenant } from '../tenant.ts'

const { RESOURCE_STATE_ACTIVE } = temporal.api.cloud.resource.v1.ResourceState

let tenant: Tenant
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Account')
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

test('who calls: a user, or a service account, and with which key', async () => {
  expect(await cloud.getCurrentIdentity({})).toMatchObject({
    user: { id: tenant.userId, spec: { email: tenant.email } },
    serviceAccount: null,
    principalApiKey: { id: tenant.keyId },
  })
  const robot = await createServiceAccount(tenant, 'robot')
  const key = await createKey(tenant, robot)
  const theirs = await cloudOf(key.token)
  expect(await theirs.getCurrentIdentity({})).toMatchObject({
    user: null,
    serviceAccount: { id: robot.serviceAccountId, spec: { name: 'robot' } },
    principalApiKey: { id: key.id },
  })
})

test('regions, in one answer and one by one', async () => {
  const { regions } = await cloud.getRegions({})
  expect(regions.length).toBeGreaterThan(0)
  for (const region of regions) {
    expect(region.cloudProviderDeprecated).toBe('aws')
    expect((await cloud.getRegion({ region: region.id ?? '' })).region).toEqual(region)
  }
  await refused(cloud.getRegion({ region: 'aws-moon-1' }), refusal.notFound)
})

test('Terraform: the CA of the metrics is set, kept byte for byte, and taken away by leaving metrics out', async () => {
  const { account } = await cloud.getAccount({})
  expect(account).toMatchObject({ id: tenant.id, state: RESOURCE_STATE_ACTIVE, metrics: null })
  const go = new GoClient(tenant.api.token)
  const read = async () => (await go.call('GetAccount')).account
  const acceptedClientCa = Buffer.from((await ownCa('Metrics')).pem)
  const { resourceVersion } = await read()
  await go.done('UpdateAccount', { spec: { metrics: { acceptedClientCa } }, resourceVersion })
  const set = await read()
  expect(acceptedClientCa.equals(set.spec.metrics.acceptedClientCa)).toBe(true)
  expect(set.metrics.uri, 'without one, Terraform drops the metrics from its state').toContain(tenant.id)
  const stale = await go.refusal('UpdateAccount', { spec: {}, resourceVersion })
  expect(stale.code).toBe(refusal.precondition)
  const { account: now } = await cloud.getAccount({})
  await nothingToChange(cloud.updateAccount({ spec: now?.spec ?? {}, resourceVersion: now?.resourceVersion ?? '' }))
  const off = cloud.updateAccount({ spec: {}, resourceVersion: now?.resourceVersion ?? '' })
  await done(cloud, 'UpdateAccount', off)
  const gone = await read()
  expect(gone.spec).not.toHaveProperty('metrics')
  expect(gone).not.toHaveProperty('metrics')
  await go.close()
})

test('cloud-cli: the last certificate of the metrics’ CA taken away', async () => {
  const cli = new GoClient(tenant.api.token, goClients.cli)
  const read = async () => (await cli.call('GetAccount')).account
  const update = async (acceptedClientCa: Buffer) => {
    const { spec, resourceVersion } = await read()
    const metrics = { ...spec.metrics, acceptedClientCa }
    await cli.done('UpdateAccount', { spec: { ...spec, metrics }, resourceVersion })
  }
  await update(Buffer.from((await ownCa('Metrics')).pem))
  expect((await read()).metrics.uri).not.toBe('')
  await update(Buffer.of())
  expect(await read()).not.toHaveProperty('metrics')
  await cli.close()
})
