import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type EdgeNamespace,
  type EdgeNexus,
  nexusCallbackHost,
  nexusEndpointHost,
  nexusProbeHost,
  nexusProxyAuthorization,
  nexusTokenPrefix,
} from '#libs/domain/edges'
import { createLogger } from '#libs/telemetry'
import { translateEdge } from '../../../apps/edge/translate/translate.ts'
import { EdgeCopy } from '../../../apps/node/edge/edge-copy.ts'
import { readEdgeDocument } from '../../../apps/node/edge/edge-document.ts'
import { probeNexusRouter } from '../../../apps/provisioner/temporal/nexus-probe.ts'
import { startEnvoy, type TestEnvoy } from '../../harness/envoy.ts'
import { until } from '../../harness/until.ts'
import { EdgeFixture } from './edge-fixture.ts'

/** A real Envoy with the product's routes, before a frontend of which nothing is real but what it is asked. */
const secret = 'the secret of this cell'
const address = `127.${randomInt(64, 192)}.${randomInt(1, 255)}.${randomInt(1, 255)}`
const port = 7251
const password = nexusProxyAuthorization(secret)
const payments = nexusEndpointHost('payments')

let fixture: EdgeFixture
let dir: string
let copy: EdgeCopy
let envoy: TestEnvoy
let frontend: Server
let asked: { readonly url: string; readonly headers: IncomingHttpHeaders }[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'aqueduct-nexus-'))
  fixture = await EdgeFixture.start()
  frontend = createServer((incoming, answer) => {
    asked.push({ url: incoming.url ?? '', headers: incoming.headers })
    incoming.resume()
    incoming.on('end', () => {
      const cancels = incoming.url?.endsWith('/cancel')
      const body = incoming.url?.includes('/at-once') ? '"done"' : '{"token":"abc","state":"running"}'
      const status = cancels ? 202 : body === '"done"' ? 200 : 201
      answer.writeHead(status, { 'content-type': 'application/json', 'content-length': cancels ? 0 : body.length })
      answer.end(cancels ? '' : body)
    })
  })
  await new Promise<void>((resolve) => frontend.listen(7247, address, resolve))
  copy = new EdgeCopy({ dir, address, logger: createLogger('test', 'silent') })
  copy.prepare()
  envoy = await startEnvoy(dir, { address, port, frontendHttpPort: 7247 })
  await route(usual)
})
afterAll(async () => {
  copy.close()
  await envoy.stop()
  await new Promise((resolve) => frontend.close(resolve))
  await fixture.close()
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(() => {
  asked = []
})

const ids = ['caller.aaaaa', 'target.aaaaa', 'outsider.aaaaa', 'caller.bbbbb', 'target.bbbbb']
const usual: EdgeNexus['endpoints'] = [
  {
    id: 'nexus-a',
    name: 'payments',
    generation: 3,
    targetNamespaceId: 'target.aaaaa',
    targetTaskQueue: 'a queue/1',
    allowedNamespaceIds: ['caller.aaaaa'],
  },
  {
    id: 'nexus-b',
    name: 'payments',
    generation: 1,
    targetNamespaceId: 'target.bbbbb',
    targetTaskQueue: 'queue',
    // A row that says more than it may: the names alone keep tenants apart.
    allowedNamespaceIds: ['caller.bbbbb', 'outsider.aaaaa', 'gone.bbbbb'],
  },
]
let generation = 100

async function route(endpoints: EdgeNexus['endpoints'], change: Partial<EdgeNamespace> = {}): Promise<void> {
  generation += 1
  const namespaces = ids.map((id) => {
    const name = id.replace('.', '-')
    return fixture.namespace(id, { tokens: { write: `eyJ.${name}.c2ln`, read: 'eyJ.r.c2ln' }, ...change })
  })
  const nexus: EdgeNexus = {
    secret,
    endpoints: [
      ...endpoints,
      { ...(usual[0] as EdgeNexus['endpoints'][number]), id: 'nexus-mark', name: 'mark', generation },
    ],
    callers: ['caller.aaaaa', 'target.aaaaa'],
  }
  const { problems, text } = translateEdge({ ...fixture.intent(namespaces), nexus })
  expect(problems).toEqual([])
  await copy.take(readEdgeDocument(text))
  const target = { address, port, endpointId: 'nexus-mark', proxyAuthorization: password }
  // Each of Envoy's threads takes them up by itself.
  let seen = 0
  await until('every thread of the router has the routes', async () => {
    const look = await probeNexusRouter(target)
    seen = look.kind === 'serving' && look.generation === generation ? seen + 1 : 0
    return seen === 10
  })
}

interface Reply {
  readonly status: number
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

function post(host: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  const all = { host, 'proxy-authorization': password, ...headers }
  return new Promise((resolve, reject) => {
    // As a proxy is asked.
    const url = `http://${host}${path}`
    const sent = request({ host: address, port, path: url, method: 'POST', headers: all, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }))
    })
    sent.on('error', reject)
    sent.end('"x"')
  })
}

const callbackOf = (id: string) =>
  encodeURIComponent(`http://${nexusCallbackHost(secret, id)}/namespaces/${id}/nexus/callback`)

describe('a start', () => {
  test('goes to the target of the caller’s own tenant, with the target’s token and the way back', async () => {
    const first = await post(payments, '/a%2Fservice/op?callback=caller.aaaaa')
    const second = await post(payments, '/service/op?callback=caller.bbbbb')
    expect(asked.map(({ url }) => url)).toEqual([
      `/namespaces/target.aaaaa/task-queues/a%20queue%2F1/nexus-services/a%2Fservice/op?callback=${callbackOf('caller.aaaaa')}`,
      `/namespaces/target.bbbbb/task-queues/queue/nexus-services/service/op?callback=${callbackOf('caller.bbbbb')}`,
    ])
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer eyJ.target-aaaaa.c2ln',
      'Bearer eyJ.target-bbbbb.c2ln',
    ])
    expect(JSON.parse(first.body)).toEqual({ token: `${nexusTokenPrefix(secret, 'nexus-a')}abc`, state: 'running' })
    expect(JSON.parse(second.body)).toEqual({ token: `${nexusTokenPrefix(secret, 'nexus-b')}abc`, state: 'running' })
    expect(Number(first.headers['content-length'])).toBe(first.body.length)
  })

  test('that is answered at once passes its answer on as it is', async () => {
    expect(await post(payments, '/service/at-once?callback=caller.aaaaa')).toMatchObject({
      status: 200,
      body: '"done"',
    })
  })

  test.each([
    ['a namespace that is not allowed', '/service/op?callback=outsider.aaaaa'],
    ['the target itself', '/service/op?callback=target.aaaaa'],
    ['another tenant’s namespace that a row allows all the same', '/service/op?callback=outsider.aaaaa'],
    ['a namespace that is not on the cell', '/service/op?callback=gone.bbbbb'],
    ['nobody', '/service/op'],
    ['somebody with a second name', '/service/op?callback=x&callback=caller.aaaaa'],
    ['an encoded name', '/service/op?callback=caller%2Eaaaaa'],
    ['another parameter', '/service/op?Callback=caller.aaaaa'],
    ['a name as a part', '/service/op?callback=caller.aaaaaa'],
    ['a path too short', '/op?callback=caller.aaaaa'],
    ['a path too long', '/a/b/c?callback=caller.aaaaa'],
    ['a cancellation without a token', '/a/b/cancel?callback=caller.aaaaa'],
  ])('by %s is not found', async (_, path) => {
    const reply = await post(payments, path)
    expect(reply.status).toBe(404)
    expect(JSON.parse(reply.body)).toMatchObject({ details: { type: 'NOT_FOUND', retryableOverride: false } })
    expect(asked).toEqual([])
  })

  test('of an endpoint that nobody has is not found either', async () => {
    for (const host of [nexusEndpointHost('nobodys'), 'x', `${payments}.`, 'localhost:7247']) {
      expect((await post(host, '/service/op?callback=caller.aaaaa')).status, host).toBe(404)
    }
    expect(asked).toEqual([])
  })

  test('brings none of the headers that the frontend would believe, and not the password', async () => {
    await post(payments, '/service/op?callback=caller.aaaaa', {
      authorization: 'Bearer forged',
      'x-aqueduct-scope': 'caller.bbbbb@0',
      'x-principal': 'usr-1',
      'x-forwarded-for': '1.2.3.4',
      'temporal-principal-name': 'x',
      'caller-type': 'operator',
      'xdc-redirection': 'false',
      'nexus-link': '<temporal:///x>; type="y"',
    })
    const headers = asked[0]?.headers ?? {}
    expect(headers.authorization).toBe('Bearer eyJ.target-aaaaa.c2ln')
    for (const name of ['x-aqueduct-scope', 'x-principal', 'x-forwarded-for', 'temporal-principal-name']) {
      expect(headers, name).not.toHaveProperty(name)
    }
    for (const name of ['caller-type', 'xdc-redirection', 'proxy-authorization']) {
      expect(headers, name).not.toHaveProperty(name)
    }
    expect(headers).toHaveProperty('nexus-link')
  })
})

describe('a cancellation', () => {
  const cancel = (token: string, host = payments) =>
    post(host, '/service/op/cancel', { 'nexus-operation-token': token })

  test('follows the prefix of its token, which it loses', async () => {
    expect((await cancel(`${nexusTokenPrefix(secret, 'nexus-b')}a.b`)).status).toBe(202)
    expect(asked).toMatchObject([
      {
        url: '/namespaces/target.bbbbb/task-queues/queue/nexus-services/service/op/cancel',
        headers: { 'nexus-operation-token': 'a.b', authorization: 'Bearer eyJ.target-bbbbb.c2ln' },
      },
    ])
  })

  test('without a prefix of this very endpoint is not found', async () => {
    const others = nexusTokenPrefix('another secret', 'nexus-a')
    for (const token of [
      'abc',
      'nexus-a.abc',
      `${others}abc`,
      ` ${nexusTokenPrefix(secret, 'nexus-a')}`.trimEnd().slice(0, -2),
    ]) {
      expect((await cancel(token)).status, token).toBe(404)
    }
    expect((await cancel(`${nexusTokenPrefix(secret, 'nexus-a')}abc`, nexusEndpointHost('other'))).status).toBe(404)
    expect(asked).toEqual([])
  })
})

describe('a completion', () => {
  const host = nexusCallbackHost(secret, 'caller.aaaaa')

  test('goes to the namespace that its address is of, with that one’s token', async () => {
    await post(host, '/namespaces/caller.aaaaa/nexus/callback', { 'temporal-callback-token': 't' })
    expect(asked).toMatchObject([
      {
        url: '/namespaces/caller.aaaaa/nexus/callback',
        headers: { authorization: 'Bearer eyJ.caller-aaaaa.c2ln', 'temporal-callback-token': 't' },
      },
    ])
  })

  test('goes nowhere else', async () => {
    for (const [at, path] of [
      [host, '/namespaces/target.aaaaa/nexus/callback'],
      [host, '/nexus/callback'],
      [host, '/namespaces/caller.aaaaa/nexus/callback/../../../api/v1/namespaces'],
      [host, '/api/v1/namespaces/caller.aaaaa'],
      [nexusCallbackHost('another secret', 'caller.aaaaa'), '/namespaces/caller.aaaaa/nexus/callback'],
      // A tenant that never had an endpoint.
      [nexusCallbackHost(secret, 'caller.bbbbb'), '/namespaces/caller.bbbbb/nexus/callback'],
    ] as const) {
      expect((await post(at, path)).status, `${at}${path}`).toBe(404)
    }
    expect(asked).toEqual([])
  })
})

test('nobody is answered without the password, whatever is asked', async () => {
  for (const host of [payments, nexusProbeHost('nexus-a'), nexusCallbackHost(secret, 'caller.aaaaa'), 'unknown']) {
    for (const wrong of ['', 'x', `${password}x`, password.toLowerCase()]) {
      const reply = await post(host, '/service/op?callback=caller.aaaaa', { 'proxy-authorization': wrong })
      expect({ host, wrong, ...reply }).toMatchObject({ status: 407, body: '' })
    }
  }
  expect(asked).toEqual([])
})

describe('a change', () => {
  test('of the policy acts on the next call', async () => {
    const [first, second] = usual as [EdgeNexus['endpoints'][number], EdgeNexus['endpoints'][number]]
    await route([{ ...first, allowedNamespaceIds: ['outsider.aaaaa'] }, second])
    expect((await post(payments, '/service/op?callback=caller.aaaaa')).status).toBe(404)
    expect((await post(payments, '/service/op?callback=outsider.aaaaa')).status).toBe(201)
    await route(usual)
    expect((await post(payments, '/service/op?callback=caller.aaaaa')).status).toBe(201)
  })

  test('an endpoint whose target is not served routes nothing, and stops no other', async () => {
    const [first, second] = usual as [EdgeNexus['endpoints'][number], EdgeNexus['endpoints'][number]]
    await route([
      { ...first, targetNamespaceId: 'gone.aaaaa' },
      { ...second, targetTaskQueue: '"\u0001 ü ☃' },
    ])
    expect((await post(payments, '/service/op?callback=caller.aaaaa')).status).toBe(404)
    expect((await post(payments, '/service/op?callback=caller.bbbbb')).status).toBe(201)
    await route(usual)
  })

  test('a suspended tenant’s calls are put off, not refused', async () => {
    await route(usual, { suspended: true })
    const reply = await post(payments, '/service/op?callback=caller.aaaaa')
    expect(reply.status).toBe(503)
    expect(
      (await post(nexusCallbackHost(secret, 'caller.aaaaa'), '/namespaces/caller.aaaaa/nexus/callback')).status,
    ).toBe(503)
    expect((await post(payments, '/service/op?callback=outsider.aaaaa')).status).toBe(404)
    expect(asked).toEqual([])
    await route(usual)
  })

  test('outlives a restart of Envoy', async () => {
    await envoy.restart()
    await until('it serves again', async () => {
      const reply = await post(payments, '/service/op?callback=caller.aaaaa').catch(() => undefined)
      return reply?.status === 201
    })
  })
})
