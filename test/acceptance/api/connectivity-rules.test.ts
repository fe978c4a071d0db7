import { temporal } from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cloud, closeClients, cloudOf, done, everyPage, refusal, refused } from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { signUp, type Tenant } from '../tenant.ts'

const { RESOURCE_STATE_ACTIVE } = temporal.api.cloud.resource.v1.ResourceState
const region = 'aws-us-east-1'

let tenant: Tenant
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Rules')
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

test('a private rule, from nothing to nothing: it never changes', async () => {
  const spec = { privateRule: { connectionId: 'vpce-0123', region } }
  const created = await cloud.createConnectivityRule({ spec })
  await done(cloud, 'CreateConnectivityRule', created)
  const { connectivityRuleId } = created
  await refused(cloud.createConnectivityRule({ spec }), refusal.exists)
  const { connectivityRule } = await cloud.getConnectivityRule({ connectivityRuleId })
  expect(connectivityRule).toMatchObject({
    id: connectivityRuleId,
    state: RESOURCE_STATE_ACTIVE,
    spec: { publicRule: null, privateRule: { connectionId: 'vpce-0123', region } },
  })
  const { connectivityRuleId: second } = await cloud.createConnectivityRule({
    spec: { privateRule: { connectionId: 'anything-at-all', region } },
  })
  const listed = await everyPage(
    (page) => cloud.getConnectivityRules(page),
    ({ connectivityRules }) => connectivityRules.map(({ id }) => id),
  )
  expect(listed.toSorted()).toEqual([connectivityRuleId, second].toSorted())
  const resourceVersion = connectivityRule?.resourceVersion ?? ''
  await refused(cloud.deleteConnectivityRule({ connectivityRuleId, resourceVersion: '77' }), refusal.precondition)
  const gone = cloud.deleteConnectivityRule({ connectivityRuleId, resourceVersion })
  await done(cloud, 'DeleteConnectivityRule', gone)
  await refused(cloud.getConnectivityRule({ connectivityRuleId }), refusal.notFound)
  await refused(cloud.deleteConnectivityRule({ connectivityRuleId, resourceVersion }), refusal.notFound)
})

test('cloud-cli: one public rule an account; attached to a namespace, shown in it, kept while in use', async () => {
  const go = new GoClient(tenant.api.token, goClients.cli)
  const { connectivityRuleId } = await go.done('CreateConnectivityRule', { spec: { publicRule: {} } })
  const { connectivityRule } = await go.call('GetConnectivityRule', { connectivityRuleId })
  expect(connectivityRule.spec, 'an empty message is not the same as none').toHaveProperty('publicRule')
  expect((await go.refusal('CreateConnectivityRule', { spec: { publicRule: {} } })).code).toBe(refusal.exists)

  const spec = { name: 'attached', regions: [region], retentionDays: 1, apiKeyAuth: { enabled: true } }
  const { namespace } = await go.done('CreateNamespace', { spec })
  const read = async () => (await go.call('GetNamespace', { namespace })).namespace
  const attach = async (connectivityRuleIds: readonly string[]) => {
    const { spec: present, resourceVersion } = await read()
    // The whole spec, without what is deprecated: so every command that changes a part does it.
    const { regions: _regions, customSearchAttributes: _attributes, ...kept } = present
    await go.done('UpdateNamespace', { namespace, spec: { ...kept, connectivityRuleIds }, resourceVersion })
  }
  await attach([connectivityRuleId])
  expect(await read()).toMatchObject({
    spec: { regions: [region], connectivityRuleIds: [connectivityRuleId] },
    connectivityRules: [{ id: connectivityRuleId }],
  })
  const { connectivityRules } = await go.call('GetConnectivityRules', { namespace })
  expect(connectivityRules.map(({ id }: { id: string }) => id)).toEqual([connectivityRuleId])
  const { resourceVersion } = connectivityRule
  const inUse = await go.refusal('DeleteConnectivityRule', { connectivityRuleId, resourceVersion })
  expect(inUse.code).toBe(refusal.precondition)
  await attach([])
  expect((await read()).spec.connectivityRuleIds ?? []).toEqual([])
  await go.done('DeleteConnectivityRule', { connectivityRuleId, resourceVersion })
  await go.close()
})
