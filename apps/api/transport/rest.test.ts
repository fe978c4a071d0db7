import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AppError, invalidField } from '#libs/base'
import { packAny } from '#libs/cloud-api'
import { Registry } from '#libs/telemetry'
import type { CallContext } from './call-context.ts'
import { type FakeClaims, fakeDispatch, fakeRestServer } from './fixture.ts'

const registry = new Registry()
const contexts: CallContext<FakeClaims>[] = []
let app: FastifyInstance

beforeAll(async () => {
  const dispatch = fakeDispatch(
    {
      GetNamespace: async (context, { namespace }) => {
        contexts.push(context)
        if (namespace === 'busy') throw new AppError('exhausted', 'slow down', { context: { retryAfterSeconds: 7 } })
        if (namespace === 'bug') throw new TypeError('password is hunter2')
        return { namespace: { namespace: namespace ?? '', spec: { name: 'orders', retentionDays: 3 }, tags: {} } }
      },
      GetUsage: async () => ({ nextPageToken: 'secret' }),
      CreateNamespace: async (_context, request) => {
        if (request.spec?.name === 'bad') throw invalidField('spec.name', 'is bad')
        return { asyncOperation: { id: 'op-1', operationInput: packAny('CreateNamespace', request) } }
      },
    },
    registry,
  )
  app = await fakeRestServer(dispatch)
})
afterAll(() => app.close())

const authorization = 'Bearer good'
const json = { authorization, 'content-type': 'application/json' }

test('answers proto3 JSON, and hands the handler its context', async () => {
  const headers = { authorization, 'x-request-id': 'mine-1', 'temporal-cloud-api-version': '2025-07-09-00' }
  const answer = await app.inject({ url: '/cloud/namespaces/orders.f45a2', headers })
  expect(answer.json()).toEqual({
    namespace: { namespace: 'orders.f45a2', spec: { name: 'orders', retentionDays: 3 } },
  })
  expect(answer.headers['x-request-id']).toBe('mine-1')
  expect(answer.headers['x-content-type-options']).toBe('nosniff')
  expect(contexts.at(-1)).toEqual({
    claims: { id: 'usr-1' },
    requestId: 'mine-1',
    transport: 'rest',
    sourceAddress: '127.0.0.1',
    dryRun: false,
    apiVersion: '2025-07-09-00',
  })
})

test('an operation shows the request that it came from', async () => {
  const payload = '{"spec":{"name":"a","retention_days":1}}'
  const answer = await app.inject({ method: 'POST', url: '/cloud/namespaces', headers: json, payload })
  expect(answer.statusCode).toBe(200)
  expect(answer.json().asyncOperation.operationInput).toEqual({
    '@type': 'type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateNamespaceRequest',
    spec: { name: 'a', retentionDays: 1 },
  })
})

test('a request id that could forge a log line is replaced', async () => {
  const headers = { authorization, 'x-request-id': 'a b"c' }
  const answer = await app.inject({ url: '/cloud/namespaces/a.b', headers })
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
})

test('strangers learn neither what is implemented nor what is wrong with their request', async () => {
  for (const url of ['/cloud/namespaces/a.b', '/cloud/namespaces?nonsense=1', '/cloud/users']) {
    const answer = await app.inject({ url })
    expect([answer.statusCode, answer.json().code, answer.headers['www-authenticate']]).toEqual([401, 16, 'Bearer'])
  }
  const unimplemented = await app.inject({ url: '/cloud/users', headers: { authorization } })
  expect([unimplemented.statusCode, unimplemented.json()]).toEqual([
    501,
    { code: 12, message: 'GetUsers is not implemented' },
  ])
})

test('bad input is INVALID_ARGUMENT that names the field', async () => {
  const post = (payload: string, headers: Record<string, string> = json) =>
    app.inject({ method: 'POST', url: '/cloud/namespaces', headers, payload })
  const cases = [
    [await post('{'), 'body'],
    [await post('{"spec":{"nme":"x"}}'), 'spec.nme'],
    [await post('{"spec":{"name":"bad"}}'), 'spec.name'],
    [await post('x'.repeat(1024 * 1024 + 1)), 'body'],
    [await post('<a/>', { authorization, 'content-type': 'text/xml' }), 'content-type'],
    [await post('{}', { authorization, 'content-type': ';;;' }), 'content-type'],
    [await app.inject({ url: '/cloud/namespaces?pag_size=1', headers: { authorization } }), undefined],
  ] as const
  for (const [answer, field] of cases) {
    expect([answer.statusCode, answer.json().code]).toEqual(field === undefined ? [501, 12] : [400, 3])
    if (field !== undefined) expect(answer.json().details[0].fieldViolations[0].field).toBe(field)
  }
})

test('a stranger’s body is not read, whatever it is', async () => {
  const payload = 'x'.repeat(1024 * 1024 + 1)
  const headers = { 'content-type': 'application/json' }
  const answer = await app.inject({ method: 'POST', url: '/cloud/namespaces', headers, payload })
  expect([answer.statusCode, answer.json().code]).toEqual([401, 16])
})

test('errors that nobody foresaw show nothing', async () => {
  for (const url of ['/cloud/namespaces/bug', '/broken']) {
    const answer = await app.inject({ url, headers: { authorization, 'x-request-id': 'r-9' } })
    expect([answer.statusCode, answer.json()]).toEqual([500, { code: 13, message: 'internal error; request id r-9' }])
  }
})

test('a limit says when to come again', async () => {
  const answer = await app.inject({ url: '/cloud/namespaces/busy', headers: { authorization } })
  expect([answer.statusCode, answer.headers['retry-after'], answer.json().code]).toEqual([429, '7', 8])
})

test('unknown paths, wrong methods and broken URLs are answered as Status', async () => {
  const answers = await Promise.all([
    app.inject({ url: '/cloud/nonsense' }),
    app.inject({ method: 'PUT', url: '/cloud/namespaces/a.b', headers: json, payload: '{}' }),
    app.inject({ url: '/cloud/namespaces/%E0%A4%A' }),
    app.inject({ url: '/cloud/namespaces/%', headers: { authorization } }),
    app.inject({ url: `/cloud/namespaces/${'x'.repeat(600)}`, headers: { authorization } }),
    app.inject({ url: '/cloud/namespaces/__proto__', headers: { authorization } }),
    app.inject({ url: '/cloud/namespaces/%2e%2e%2fx', headers: { authorization } }),
  ])
  expect(answers.map((answer) => [answer.statusCode, answer.json().code])).toEqual([
    [404, 5],
    [405, 12],
    [400, 3],
    [400, 3],
    [expect.toSatisfy((status: number) => status >= 400 && status < 500), expect.any(Number)],
    [200, undefined],
    [200, undefined],
  ])
  expect(answers[1]?.headers.allow).toBe('GET, POST, DELETE')
})

test('what is not HTTP gets a Status, too', async () => {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.end('NONSENSE\r\n\r\n')
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  await once(socket, 'close')
  expect(text).toContain('HTTP/1.1 400 Bad Request')
  expect(JSON.parse(text.split('\r\n\r\n')[1] ?? '')).toEqual({ code: 3, message: 'not a valid HTTP request' })
})

test('calls are counted by rpc and code', async () => {
  const text = await registry.metrics()
  expect(text).toContain('aqueduct_api_call_seconds_count{rpc="GetNamespace",transport="rest",code="INTERNAL"} 1')
})
