import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Cloud,
  closeClients,
  cloudOf,
  done,
  everyPage,
  nothingToChange,
  refusal,
  refused,
} from '../cloud-client.ts'
import { GoClient, goClients } from '../go-client.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { signUp, type Tenant } from '../tenant.ts'

let tenant: Tenant
let target: Namespace
let caller: Namespace
let cloud: Cloud

beforeAll(async () => {
  tenant = await signUp('Nexus')
  ;[target, caller] = (await Promise.all([createNamespace(tenant), createNamespace(tenant)])) as [Namespace, Namespace]
  cloud = await cloudOf(tenant.api.token)
})
afterAll(closeClients)

const allowing = ({ id }: Namespace) => ({ allowedCloudNamespacePolicySpec: { namespaceId: id } })
const specOf = (name: string, more: object = {}) => ({
  name,
  targetSpec: { workerTargetSpec: { namespaceId: target.id, taskQueue: 'payments' } },
  policySpecs: [allowing(caller)],
  ...more,
})

test('an endpoint, from nothing to nothing', async () => {
  const spec = specOf('payments')
  const created = await cloud.createNexusEndpoint({ spec })
  await done(cloud, 'CreateNexusEndpoint', created)
  const { endpointId } = created
  await refused(cloud.createNexusEndpoint({ spec }), refusal.exists)
  const { endpoint } = await cloud.getNexusEndpoint({ endpointId })
  expect(endpoint).toMatchObject({ id: endpointId, state: 3, spec: { ...spec, description: null } })
  const ids = async (filter: object) => (await cloud.getNexusEndpoints(filter)).endpoints.map(({ id }) => id)
  expect(await ids({ name: 'payments' })).toEqual([endpointId])
  expect(await ids({ name: 'pay' }), 'the filter is exact').toEqual([])
  expect(await ids({ targetNamespaceId: target.id, targetTaskQueue: 'payments' })).toEqual([endpointId])
  expect(await ids({ targetNamespaceId: target.id, targetTaskQueue: 'other' }), 'all filters hold').toEqual([])
  expect(await ids({ targetNamespaceId: caller.id })).toEqual([])

  const resourceVersion = endpoint?.resourceVersion ?? ''
  await nothingToChange(cloud.updateNexusEndpoint({ endpointId, spec: endpoint?.spec ?? {}, resourceVersion }))
  const update = { endpointId, spec: { ...spec, name: 'invoices' }, resourceVersion }
  await done(cloud, 'UpdateNexusEndpoint', cloud.updateNexusEndpoint(update))
  await refused(cloud.updateNexusEndpoint({ ...update, spec }), refusal.precondition)
  const { endpoint: changed } = await cloud.getNexusEndpoint({ endpointId })
  expect(changed?.spec?.name).toBe('invoices')
  const version = changed?.resourceVersion ?? ''
  await done(cloud, 'DeleteNexusEndpoint', cloud.deleteNexusEndpoint({ endpointId, resourceVersion: version }))
  await refused(cloud.getNexusEndpoint({ endpointId }), refusal.notFound)
  await refused(cloud.deleteNexusEndpoint({ endpointId, resourceVersion: version }), refusal.notFound)
})

test('Terraform: a description that is unset, one that is an empty text, and one that is a text', async () => {
  const go = new GoClient(tenant.api.token)
  const text = (value: string) => ({
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(JSON.stringify(value)),
  })
  const shown = async (endpointId: string) => (await go.call('GetNexusEndpoint', { endpointId })).endpoint.spec
  const asyncOperationId = randomUUID()
  const { endpointId } = await go.done('CreateNexusEndpoint', { spec: specOf('described'), asyncOperationId })
  expect(await shown(endpointId)).not.toHaveProperty('description')
  for (const value of ['', 'takes money']) {
    const { resourceVersion } = (await go.call('GetNexusEndpoint', { endpointId })).endpoint
    const spec = specOf('described', { description: text(value) })
    await go.done('UpdateNexusEndpoint', { endpointId, spec, resourceVersion })
    const { description } = await shown(endpointId)
    expect(JSON.parse(description.data.toString())).toBe(value)
    expect(description.metadata.encoding.toString()).toBe('json/plain')
  }
  await go.close()
})

test('tcld: an endpoint is found by its name, and its allowed namespaces are a whole spec', async () => {
  const tcld = new GoClient(tenant.api.token, goClients.tcld)
  const plain = { policySpecs: [], descriptionDeprecated: 'the old way' }
  await tcld.done('CreateNexusEndpoint', { spec: specOf('by-name', plain) })
  const find = async () => {
    const { endpoints } = await tcld.call('GetNexusEndpoints', { name: 'by-name' })
    expect(endpoints).toHaveLength(1)
    return endpoints[0]
  }
  const { id: endpointId, spec, resourceVersion } = await find()
  expect(spec.descriptionDeprecated).toBe('the old way')
  expect(JSON.parse(spec.description.data.toString()), 'as new clients read it').toBe('the old way')
  const policySpecs = [allowing(caller), allowing(target)]
  await tcld.done('UpdateNexusEndpoint', { endpointId, spec: { ...spec, policySpecs }, resourceVersion })
  const allowed = (await find()).spec.policySpecs
  expect(allowed).toHaveLength(2)
  expect(allowed).toEqual(expect.arrayContaining(policySpecs))
  await tcld.close()
})

test('what is wrong is named; lists come page by page, by id', async () => {
  const wrong: readonly (readonly [string, object])[] = [
    ['spec.name', specOf('1-digit-first')],
    ['spec.name', specOf('under_score')],
    ['spec.target_spec', { name: 'no-target', policySpecs: [] }],
  ]
  for (const [field, spec] of wrong) await refused(cloud.createNexusEndpoint({ spec }), refusal.invalid, field)
  const listed = await everyPage(
    (page) => cloud.getNexusEndpoints(page),
    ({ endpoints }) => endpoints.map(({ id }) => id),
  )
  expect(listed).toHaveLength(2)
  expect(listed).toEqual(listed.toSorted())
})
