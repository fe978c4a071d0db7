import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import proto from '@temporalio/proto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeaks } from '../../harness/leaks.ts'
import { ownCa } from '../certificates.ts'
import { code, describeMessage, outcome, workflowService } from '../edge.ts'
import { http, type Identity } from '../http.ts'
import { alterJwt } from '../jwt.ts'
import { createNamespace, type Namespace } from '../namespace.ts'
import { type NodeSecrets, stealSecrets } from '../node-secrets.ts'
import { operatorIdentity } from '../operator.ts'
import { type ProductUnderTest, productCondition, productUnderTest } from '../product-under-test.ts'
import { NothingHappens, type RawTarget, rawCall } from '../raw-grpc.ts'
import { issueCertificate, signUp, type Tenant } from '../tenant.ts'

/** The ports of a node, of which tenants are shown the first alone. */
const ports = { frontend: 7243, history: 7244, matching: 7245, internalFrontend: 7246, worker: 7249 } as const
const membershipOffset = 100

const { v1: service } = proto.temporal.api.workflowservice
let product: ProductUnderTest
let tenant: Tenant
let certificate: Identity
/** Two on one cell, and one on another. */
let here: Namespace
let beside: Namespace
let elsewhere: Namespace
let stolen: NodeSecrets

beforeAll(async () => {
  product = await productUnderTest()
  tenant = await signUp('Burglar')
  const issued = await issueCertificate(tenant, 'worker')
  certificate = issued
  here = await createNamespace(tenant, { name: 'here', ca: issued.ca })
  beside = await createNamespace(tenant, { name: 'beside', ca: issued.ca })
  elsewhere = await createNamespace(tenant, { name: 'elsewhere', ca: issued.ca, region: 'aws-eu-west-1' })
  stolen = await stealSecrets(here)
  expect(beside.host).toBe(here.host)
  expect(elsewhere.host).not.toBe(here.host)
})

afterAll(async () => {
  const { alive, output } = await productCondition()
  expect(alive).toBe(true)
  expect(findLeaks(product.dataDirectory, output)).toEqual([])
})

/** DescribeNamespace, or another method, straight at a port of a node. */
function straight(target: RawTarget, namespace: string, token?: string, method = 'DescribeNamespace') {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const message = describeMessage(namespace)
  const path = method.startsWith('/') ? method : `${workflowService}/${method}`
  return outcome(rawCall(target, { authority: target.host, path, message, headers }))
}

describe('a cell’s frontend, past the edge', () => {
  const frontend = ({ host }: Namespace) => ({ host, port: ports.frontend })

  test('a stolen token works for its own namespace, on its own cell, and for nothing else', async () => {
    const { read, write } = stolen.tokens
    for (const token of [read, write]) {
      expect(await straight(frontend(here), here.id, token)).toBe(code.ok)
      expect(await straight(frontend(here), beside.id, token), 'another namespace').toBe(code.denied)
      expect(await straight(frontend(elsewhere), elsewhere.id, token), 'another cell').toBe(code.denied)
      expect(await straight(frontend(elsewhere), here.id, token), 'another cell, one’s own name').not.toBe(code.ok)
      for (const method of ['UpdateNamespace', 'RegisterNamespace', 'ListNamespaces', 'DeprecateNamespace']) {
        expect(await straight(frontend(here), here.id, token, method), method).toBe(code.denied)
      }
      for (const path of [
        '/temporal.api.operatorservice.v1.OperatorService/DeleteNamespace',
        '/temporal.api.operatorservice.v1.OperatorService/ListClusters',
        '/temporal.server.api.adminservice.v1.AdminService/DescribeCluster',
      ]) {
        expect(await straight(frontend(here), here.id, token, path), path).toBe(code.denied)
      }
    }
    const start = service.StartWorkflowExecutionRequest.encode({
      namespace: here.id,
      workflowId: 'w',
      workflowType: { name: 'x' },
      taskQueue: { name: 'x' },
      requestId: 'w',
    }).finish()
    const headers = { authorization: `Bearer ${read}` }
    const call = { authority: here.host, path: `${workflowService}/StartWorkflowExecution`, message: start, headers }
    expect(await outcome(rawCall(frontend(here), call)), 'the reading one does not write').toBe(code.denied)
  })

  test('nothing, an API key, and a token that was changed are refused', async () => {
    expect(await straight(frontend(here), here.id)).toBe(code.denied)
    expect(await straight(frontend(here), here.id, tenant.api.token)).not.toBe(code.ok)
    const { write } = stolen.tokens
    const permissions = [`${beside.id}:write`, 'temporal-system:admin']
    for (const payload of [{ permissions }, { exp: 4_000_000_000 }]) {
      expect(await straight(frontend(here), beside.id, alterJwt(write, { payload }))).not.toBe(code.ok)
    }
    const unsigned = alterJwt(write, { header: { alg: 'none' }, payload: { permissions } })
    expect(await straight(frontend(here), beside.id, unsigned)).not.toBe(code.ok)
    expect(await straight(frontend(here), beside.id, `${unsigned.split('.').slice(0, 2).join('.')}.`)).not.toBe(code.ok)
  })
})

test('what the parts of a cell say to each other: nobody else joins in', async () => {
  const { frontend, ...internal } = ports
  const inside = Object.values(internal)
  const gossip = Object.values(ports).map((port) => port + membershipOffset)
  const mimic = await (await ownCa('Mimic')).issue('worker')
  const identities = [undefined, certificate, mimic, await operatorIdentity()]
  for (const { host } of [here, elsewhere]) {
    for (const port of [...inside, ...gossip]) {
      expect(await reception({ host, port }), `${port}`).toBe('hangs up')
      for (const identity of identities) {
        // Whatever certificate is shown is taken for good.
        const tls = { ca: product.ca, serverName: '', identity, anyServer: true }
        expect(await reception({ host, port, tls }), `${port} with TLS`).toBe('hangs up')
      }
    }
    expect(await reception({ host, port: frontend }), 'while the frontend answers').toBe('answers')
  }
})

/** What becomes of a call: one that is neither answered nor ended was let in by something that speaks another language. */
async function reception(target: RawTarget): Promise<'answers' | 'hangs up' | 'listens'> {
  const headers = { authorization: `Bearer ${stolen.tokens.write}` }
  const call = { authority: target.host, path: `${workflowService}/GetSystemInfo`, headers }
  return rawCall(target, call, 2_000).then(
    () => 'answers',
    (thrown: unknown) => (thrown instanceof NothingHappens ? 'listens' : 'hangs up'),
  )
}

describe('listeners for others', () => {
  test('the discovery server, without a node’s certificate', async () => {
    const url = `${product.addresses.discovery}/v1/cells/cell-aaaaaaaaaaaaaaaaaaaa/edge`
    const { ca } = product
    for (const identity of [undefined, certificate, await operatorIdentity()]) {
      await expect(http(url, { ca, identity })).rejects.toThrow()
    }
    await expect(http(url.replace('https:', 'http:'))).rejects.toThrow()
  })

  test('the operator listener, without an operator’s certificate', async () => {
    const url = `${product.addresses.operator}/operator/v1/tenants`
    const { ca } = product
    const headers = {
      authorization: `Bearer ${tenant.api.token}`,
      'x-forwarded-client-cert': 'URI=aqueduct://operators/first',
    }
    const mimic = await (await ownCa('Aqueduct operators')).issue('first')
    for (const identity of [undefined, certificate, mimic]) {
      await expect(http(url, { ca, identity, headers })).rejects.toThrow()
      await expect(http(url, { ca, identity })).rejects.toThrow()
    }
    expect((await http(url, { ca, identity: await operatorIdentity() })).status).toBe(200)
  })

  test('an operator’s certificate is nobody at the public listener', async () => {
    const identity = await operatorIdentity()
    const answer = await http(`${product.addresses.https}/cloud/account`, { ca: product.ca, identity })
    expect(answer.status).toBe(401)
    const operators = await http(`${product.addresses.https}/operator/v1/tenants`, { ca: product.ca, identity })
    expect(operators.status).toBe(404)
  })

  test('the embedded Postgres, without its password', async () => {
    const { port } = JSON.parse(readFileSync(join(product.dataDirectory, 'postgres.json'), 'utf8')) as { port: number }
    for (const user of ['postgres', 'aqueduct_api', 'aqueduct_operator', 'aqueduct_provisioner']) {
      for (const password of ['', user, 'postgres']) {
        const client = new Client({ host: '127.0.0.1', port, user, password, database: 'aqueduct' })
        await expect(client.connect(), user).rejects.toThrow(/password/)
        await client.end()
      }
    }
  })
})
