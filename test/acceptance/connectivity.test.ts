import { beforeAll, expect, test } from 'vitest'
import { onBoth } from './both-transports.ts'
import type { CloudApi, Mutated } from './cloud-api.ts'
import { cloudMethod } from './contract.ts'
import { code, describeMessage, describeThrough, headersOf, outcome, workflowService } from './edge.ts'
import { createNamespace, edgeOf, type Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'
import { rawCall } from './raw-grpc.ts'
import { signUp, type Tenant } from './tenant.ts'

const region = 'aws-us-east-1'
const privatePort = 7234
let tenant: Tenant

beforeAll(async () => {
  tenant = await signUp('Connected')
})

interface CreatedRule extends Mutated {
  readonly connectivityRuleId: string
}

async function newRule(spec: object, api: CloudApi = tenant.api): Promise<string> {
  const created = await api.post<CreatedRule>('/cloud/connectivity-rules', { spec })
  await api.fulfilled(created)
  return created.connectivityRuleId
}

const privateRule = (connectionId: string) => ({ privateRule: { connectionId, region } })

/** What an AWS network load balancer sends ahead of a connection that came by this VPC endpoint. */
function proxyHeader(endpointId: string): Buffer {
  const field = Buffer.concat([Buffer.of(0xea, 0, endpointId.length + 1, 1), Buffer.from(endpointId)])
  const addresses = Buffer.of(10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 1)
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
  return Buffer.concat([signature, Buffer.of(0x21, 0x11, 0, addresses.length + field.length), addresses, field])
}

/** The code of a call to the private port; `none` when there is no connection. */
async function privately({ id, host, hostname }: Namespace, endpointId?: string): Promise<number | 'none'> {
  const { ca } = await productUnderTest()
  const before = endpointId === undefined ? {} : { before: proxyHeader(endpointId) }
  const call = {
    authority: hostname,
    path: `${workflowService}/DescribeNamespace`,
    message: describeMessage(id),
    headers: headersOf({ token: tenant.api.token }),
  }
  return outcome(rawCall({ host, port: privatePort, ...before, tls: { ca, serverName: hostname } }, call))
}

const publicly = (namespace: Namespace) => outcome(describeThrough(namespace, { token: tenant.api.token }))

test('a namespace is reached by its rules alone, as soon as the operation says so', async () => {
  const [own, other, open] = [
    await newRule(privateRule('vpce-0a1b2c3d4e5f60718')),
    await newRule(privateRule('vpce-0a1b2c3d4e5f60719')),
    await newRule({ publicRule: {} }),
  ]
  const namespace = await createNamespace(tenant, { region, spec: { connectivityRuleIds: [own] } })
  expect(namespace.host).toBe(await edgeOf(region))
  expect(namespace.hostname).toContain(namespace.id)
  expect(await publicly(namespace)).toBe('none')
  expect(await privately(namespace, 'vpce-0a1b2c3d4e5f60718')).toBe(code.ok)
  expect(await privately(namespace, 'vpce-0a1b2c3d4e5f60719')).toBe('none')
  expect(await privately(namespace)).toBe('none')

  await tenant.api.update(namespace.path, { connectivityRuleIds: [other, open] })
  expect(await publicly(namespace)).toBe(code.ok)
  expect(await privately(namespace, 'vpce-0a1b2c3d4e5f60718')).toBe('none')
  expect(await privately(namespace, 'vpce-0a1b2c3d4e5f60719')).toBe(code.ok)

  await tenant.api.update(namespace.path, { connectivityRuleIds: [own] })
  expect(await publicly(namespace)).toBe('none')
  const inUse = await tenant.api.answer('DELETE', await tenant.api.deletion(`/cloud/connectivity-rules/${own}`))
  expect(inUse).toMatchObject({ status: 400, json: { code: 9 } })
  expect(inUse.text).toContain(namespace.id)

  await tenant.api.update(namespace.path, { connectivityRuleIds: [] })
  expect(await publicly(namespace)).toBe(code.ok)
  expect(await privately(namespace, 'vpce-0a1b2c3d4e5f60718')).toBe('none')
  for (const id of [own, other, open]) await tenant.api.delete(`/cloud/connectivity-rules/${id}`)
})

test('another tenant’s rules are as good as none, on both transports', async () => {
  const id = await newRule(privateRule('vpce-mine'))
  const stranger = await signUp('Prying')
  const nobody = `rule-${'x'.repeat(id.length - 5)}`
  for (const [name, request] of [
    ['GetConnectivityRule', { connectivityRuleId: id }],
    ['DeleteConnectivityRule', { connectivityRuleId: id, resourceVersion: '1' }],
  ] as const) {
    const seen = await onBoth(stranger.api.token, cloudMethod(name), request)
    expect(seen).toMatchObject({ rest: { status: 404, code: 5 }, grpc: { code: 5 } })
    const invented = await onBoth(stranger.api.token, cloudMethod(name), { ...request, connectivityRuleId: nobody })
    expect(invented.rest.everything.replaceAll(nobody, id)).toBe(seen.rest.everything)
  }
  const own = { namespace: (await createNamespace(stranger)).path, spec: { connectivityRuleIds: [id] } }
  await expect(stranger.api.update(own.namespace, own.spec)).rejects.toThrow(/there is no connectivity rule/)
  const listed = await onBoth(stranger.api.token, cloudMethod('GetConnectivityRules'), {})
  expect(listed).toMatchObject({ rest: { status: 200 }, grpc: { code: 0 } })
  expect(listed.rest.everything + listed.grpc.everything).not.toContain(id)
  const mine = await onBoth(tenant.api.token, cloudMethod('GetConnectivityRules'), {})
  expect(mine.rest.everything).toContain(id)
  expect(mine.grpc.everything).toContain(id)
  const again = await onBoth(tenant.api.token, cloudMethod('CreateConnectivityRule'), {
    spec: privateRule('vpce-mine'),
  })
  expect(again).toMatchObject({ rest: { status: 409, code: 6 }, grpc: { code: 6 } })
})
