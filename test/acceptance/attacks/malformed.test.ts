import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findLeaks } from '../../harness/leaks.ts'
import { type CloudRequest, filled, grpcCall, onBoth } from '../both-transports.ts'
import { ownCa } from '../certificates.ts'
import { type CloudMethod, cloudMethod, cloudMethods, encode } from '../contract.ts'
import { code } from '../edge.ts'
import { type Answer, http } from '../http.ts'
import { mtlsAuth, namespaceSpec } from '../namespace.ts'
import { type ProductUnderTest, productCondition, productUnderTest } from '../product-under-test.ts'
import { signUp, type Tenant } from '../tenant.ts'
import { type Ids, lists, requestsWithIds } from './requests-with-ids.ts'

let product: ProductUnderTest
let tenant: Tenant

beforeAll(async () => {
  product = await productUnderTest()
  tenant = await signUp('Fuzzer')
})

afterAll(async () => {
  expect((await tenant.api.answer('GET', '/cloud/current-identity')).status).toBe(200)
  expect(await tenant.api.get('/cloud/namespaces')).toEqual({})
  const { alive, output } = await productCondition()
  expect(alive).toBe(true)
  expect(findLeaks(product.dataDirectory, output)).toEqual([])
})

/** A refusal in the words of the API: a Status, the caller's fault, and nothing of the inside. */
function expectRefusal(answer: Answer, ...statuses: readonly number[]): void {
  expect(statuses, answer.text).toContain(answer.status)
  expect(answer.json).toMatchObject({ code: expect.any(Number), message: expect.any(String) })
  expect(answer.text).not.toMatch(/select |insert |syntax error|postgres|kysely|node:|\.ts\b|at Object/i)
}

describe('strangers', () => {
  test('get no answer from any method, and learn nothing from what they send', async () => {
    for (const method of cloudMethods) {
      for (const token of [undefined, 'garbage']) {
        const { rest, grpc } = await onBoth(token, method, filled(method.path, 'x'))
        expect([rest.status, rest.code, grpc.code], method.name).toEqual([
          401,
          code.unauthenticated,
          code.unauthenticated,
        ])
      }
    }
  })

  test('cannot say who they are by a header', async () => {
    const headers = {
      'x-principal': tenant.userId,
      'x-aqueduct-principal': tenant.userId,
      'x-forwarded-user': tenant.userId,
      'x-forwarded-client-cert': 'URI=aqueduct://operators/first',
      'x-tenant-id': tenant.id,
    }
    const answer = await http(`${product.addresses.http}/cloud/account`, { headers })
    expectRefusal(answer, 401)
    const { status } = await http(`${product.addresses.http}/operator/v1/tenants`, { headers })
    expect(status).toBe(404)
  })

  test('do not guess invitations, and do not learn who is on the waitlist', async () => {
    const accept = (token: unknown) =>
      http(`${product.addresses.http}/v1/invitations/accept`, { method: 'POST', body: { token } })
    const guesses = [`aqinv_${'A'.repeat(43)}`, "' OR 1=1 --", 'x', '😀', '\0']
    for (const guess of guesses) expect((await accept(guess)).json).toEqual((await accept('y')).json)
    expectRefusal(await accept('y'), 401)
    for (const wrong of ['', 7, null, { $ne: '' }, ['x'], 'x'.repeat(300)]) expectRefusal(await accept(wrong), 400)
    const join = (email: string) =>
      http(`${product.addresses.http}/v1/waitlist`, {
        method: 'POST',
        body: { email, company: 'Somebody', useCase: 'to look' },
      })
    const [known, unknown] = [await join(tenant.email), await join('nobody-yet@example.com')]
    expect({ ...known.json, id: '', position: 0 }).toEqual({ ...unknown.json, id: '', position: 0 })
  })
})

describe('strange ids', () => {
  const strange = [
    "' OR '1'='1",
    '"; DROP TABLE namespaces; --',
    '$(id)',
    '{{7*7}}',
    '../../../etc/passwd',
    '..%2f..%2f',
    '%00',
    'naïve.名前',
    '🚀',
    '\u202Eevil',
    '＇ OR １=１',
    'null',
    '-1',
    '9'.repeat(40),
    ' ',
    'a'.repeat(400),
  ]

  /** A request of every method that takes ids, with `id` in each place for one. */
  function requestsWith(id: string): readonly (readonly [CloudMethod, CloudRequest])[] {
    const ids = new Proxy({}, { get: () => id }) as Ids
    return Object.entries(requestsWithIds).flatMap(([name, make]) => {
      const [, request] = make(ids, ids)[0] ?? []
      return request === undefined ? [] : [[cloudMethod(name), request] as const]
    })
  }

  test.each(strange)('%j', async (id) => {
    const requests = requestsWith(id)
    expect(requests.length).toBeGreaterThan(45)
    for (const [method, request] of requests) {
      const { rest, grpc } = await onBoth(tenant.api.token, method, request)
      const said = `${method.name} ${rest.everything} ${grpc.everything}`
      expect(said).not.toMatch(/syntax error|postgres|kysely|internal error/i)
      expect(grpc.code, said).toBe(rest.code ?? code.ok)
      // A list by a filter that fits nothing is empty; keys of somebody else are nobody's to make.
      const fine = [code.invalid, code.notFound, ...(lists.includes(method.name) ? [code.ok] : [])]
      expect(method.name === 'CreateApiKey' ? [...fine, code.denied] : fine, said).toContain(grpc.code)
      if (rest.status === 200) expect(rest.everything).toContain('"text":"{}"')
    }
  })

  test('with a NUL, which Postgres cannot hold', async () => {
    for (const [method, request] of requestsWith('a\0b')) {
      const { rest, grpc } = await onBoth(tenant.api.token, method, request)
      expect([rest.status, grpc.code], method.name).toEqual([400, code.invalid])
    }
  })

  test('in filters and paging', async () => {
    for (const id of strange) {
      for (const path of [
        'namespaces?name=',
        'api-keys?owner_id=',
        'namespaces?page_token=',
        'namespaces?page_size=',
      ]) {
        const answer = await tenant.api.answer('GET', `/cloud/${path}${encodeURIComponent(id)}`)
        if (answer.status !== 200) expectRefusal(answer, 400)
      }
    }
  })
})

describe('names and texts', () => {
  test('what is a name and what is not', async () => {
    const names = ['Ünïcode', 'UPPER', 'a', '-a', 'a-', 'a.b', 'a b', 'a'.repeat(40), '🚀🚀', 'x\0y', '', "a'--"]
    for (const name of names) {
      const answer = await tenant.api.answer('POST', '/cloud/namespaces', { spec: namespaceSpec({ name }) })
      expectRefusal(answer, 400)
      expect(answer.text).toContain('spec.name')
    }
    const many = 'Zürich 東京 🚀 "quoted" <b>&amp;'
    const spec = { name: many, access: { accountAccess: { role: 'ROLE_READ' } } }
    const { serviceAccountId } = await tenant.api.post<{ serviceAccountId: string }>('/cloud/service-accounts', {
      spec,
    })
    const path = `/cloud/service-accounts/${serviceAccountId}`
    expect(await tenant.api.get(path)).toMatchObject({ serviceAccount: { spec: { name: many } } })
    for (const name of ['x\u202Ey', 'x\ny', 'x\0y', 'x\u0007y', 'x'.repeat(1_000)]) {
      expectRefusal(await tenant.api.answer('POST', '/cloud/service-accounts', { spec: { ...spec, name } }), 400)
    }
  })

  test('certificate authorities that are none', async () => {
    const ca = await ownCa('Sound')
    const leaf = await ca.issue('leaf')
    const bundles = {
      'no PEM': 'hello',
      'a leaf': leaf.certificate,
      'a private key': leaf.key,
      'too many': (await Promise.all(Array.from({ length: 17 }, (_, i) => ownCa(`Root ${i}`))))
        .map(({ pem }) => pem)
        .join(''),
      'the same twice': ca.pem + ca.pem,
      'a broken one': ca.pem.replace(/(?<=\n)[\w+/]{40}/, 'A'.repeat(40)),
      'very many bytes': ca.pem + 'x'.repeat(40_000),
      'a NUL': `${ca.pem}\0`,
    }
    for (const [what, pem] of Object.entries(bundles)) {
      const answer = await tenant.api.answer('POST', '/cloud/namespaces', { spec: namespaceSpec({ ca: pem }) })
      expect(answer.status, what).toBe(400)
      expectRefusal(answer, 400)
      expect(answer.text, what).toContain('spec.mtls_auth.accepted_client_ca')
      expect(answer.text, what).not.toContain('PRIVATE KEY-----')
    }
    const filters = [{ commonName: '' }, { commonName: 'x'.repeat(1_000) }, {}]
    for (const filter of filters) {
      const spec = namespaceSpec({ spec: { mtlsAuth: mtlsAuth(ca.pem, [filter]) } })
      expectRefusal(await tenant.api.answer('POST', '/cloud/namespaces', { spec }), 400)
    }
  })
})

describe('bodies', () => {
  const post = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    http(`${product.addresses.https}/cloud/namespaces`, {
      method: 'POST',
      body,
      ca: product.ca,
      headers: { authorization: `Bearer ${tenant.api.token}`, ...headers },
    })

  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['nothing but null', 'null'],
    ['an unknown field', '{"spec":{"nonsense":1}}'],
    ['a field of another kind', '{"spec":{"retentionDays":"many"}}'],
    ['a number that is too large', '{"spec":{"retentionDays":1e99}}'],
    ['an enum that is none', '{"spec":{"apiKeyAuth":{"enabled":"perhaps"}}}'],
    ['a prototype', '{"__proto__":{"admin":true},"spec":{"constructor":{}}}'],
    ['half a character', '{"spec":{"name":"\\ud800"}}'],
    ['base64 that is none', '{"spec":{"mtlsAuth":{"acceptedClientCa":"%%%"}}}'],
    ['lists in lists in lists', `{"spec":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['objects in objects', `{"spec":${'{"spec":'.repeat(50_000)}{}${'}'.repeat(50_000)}}`],
    ['a field twice', '{"spec":{"name":"a-a","name":"b-b"}}'],
  ])('%s', async (_what, body) => {
    expectRefusal(await post(body), 400)
  })

  test('of another kind than JSON', async () => {
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/grpc']) {
      expectRefusal(await post('{}', { 'content-type': type }), 400, 415)
    }
  })

  test('huge ones, over both transports', async () => {
    const huge = { spec: { name: 'x'.repeat(1_500_000) } }
    expectRefusal(await post(huge), 400, 413)
    const method = cloudMethod('CreateNamespace')
    const reply = await grpcCall(tenant.api.token, method, encode(method, { spec: { name: 'x'.repeat(5_000_000) } }))
    expect(reply.grpcStatus).toBe(8)
  })

  test('bytes that are no message', async () => {
    for (const bytes of [Buffer.from('ffffffffff', 'hex'), Buffer.from('0aff', 'hex'), Buffer.from('{"spec":{}}')]) {
      const reply = await grpcCall(tenant.api.token, cloudMethod('CreateNamespace'), bytes)
      expect(reply.grpcStatus).toBe(code.invalid)
    }
  })

  test('headers without end, paths that lead out, methods that do not fit', async () => {
    const { addresses, ca } = product
    const headers = { authorization: `Bearer ${'x'.repeat(8_000)}` }
    expectRefusal(await http(`${addresses.https}/cloud/account`, { ca, headers }), 401)
    const longer = { 'x-filler': 'x'.repeat(60_000) }
    expectRefusal(await http(`${addresses.https}/cloud/account`, { ca, headers: longer }), 400, 431)
    for (const path of [
      '/cloud/namespaces/..%2f..%2fetc%2fpasswd',
      '/cloud/../operator/v1/tenants',
      '/%2e%2e/',
      '/docs/..%2f..%2fpackage.json',
    ]) {
      expectRefusal(await tenant.api.answer('GET', path), 400, 404)
    }
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE']) {
      expectRefusal(await tenant.api.answer(method, '/cloud/namespaces'), 405, 404, 400)
    }
  })
})
