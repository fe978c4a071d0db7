import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certificateRequest } from './certificates.ts'
import { CloudApi } from './cloud-api.ts'
import { code, describeThrough, outcome } from './edge.ts'
import { http, type Identity, type Json } from './http.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { operator } from './operator.ts'
import { type ProductUnderTest, productUnderTest } from './product-under-test.ts'
import { runGreeting, workflowBundle } from './sdk.ts'
import { type IssuedCertificate, invitationToken, issueCertificate, signUp, type Tenant } from './tenant.ts'

/** The story of the quickstart, step by step: each test goes on where the one before has ended. */
const email = 'ada@analytical.example'
let product: ProductUnderTest
let entryId: string
let tenant: Tenant
let certificate: Identity & { readonly ca: string }
let namespace: Namespace

beforeAll(async () => {
  product = await productUnderTest()
})

afterAll(() => {
  console.log(`  the product was ready after ${(product.startMs / 1000).toFixed(1)} s`)
  console.log(`  a namespace, and its cell if it is the first one there: ${(namespace.createMs / 1000).toFixed(1)} s`)
})

test('somebody joins the waitlist', async () => {
  const application = { email, company: 'Analytical Engines', useCase: 'to compute Bernoulli numbers' }
  const joined = await http(`${product.addresses.http}/v1/waitlist`, { method: 'POST', body: application })
  expect(joined.json).toMatchObject({ id: expect.stringMatching(/^wl-/), position: expect.any(Number) })
  entryId = String(joined.json.id)
})

test('the operator sees who waits, approves, and a mail goes out', async () => {
  const { entries } = await operator<{ entries: Json[] }>('GET', '/waitlist?state=waiting')
  expect(entries).toContainEqual(expect.objectContaining({ id: entryId, email, company: 'Analytical Engines' }))
  const approved = await operator('POST', `/waitlist/${entryId}/approve`)
  expect(approved).toMatchObject({ entry: { state: 'approved' }, mail: 'outbox' })
})

test('the invitation becomes a tenant, an account owner and an API key, once', async () => {
  const accept = async (token: string) =>
    http(`${product.addresses.http}/v1/invitations/accept`, { method: 'POST', body: { token } })
  const token = await invitationToken(email)
  const accepted = await accept(token)
  expect(accepted.json).toMatchObject({
    tenant: { id: expect.stringMatching(/^[a-z0-9]{5}$/), name: 'Analytical Engines' },
    user: { id: expect.stringMatching(/^usr-/), email },
    apiKey: { token: expect.stringMatching(/^eyJ/) },
  })
  const { tenant: account, user, apiKey } = accepted.json as Readonly<Record<string, Readonly<Record<string, string>>>>
  const api = new CloudApi(apiKey?.token ?? '')
  tenant = { id: account?.id ?? '', userId: user?.id ?? '', email, keyId: apiKey?.id ?? '', api }
  expect((await accept(token)).status).toBe(401)
})

test('the key says who its owner is, and shows the regions', async () => {
  const { api, userId, keyId } = tenant
  expect(await api.get('/cloud/current-identity')).toMatchObject({
    user: { id: userId, spec: { email, access: { accountAccess: { role: 'ROLE_OWNER' } } } },
    principalApiKey: { id: keyId },
  })
  expect(await api.get('/cloud/account')).toMatchObject({ account: { id: tenant.id, state: 'RESOURCE_STATE_ACTIVE' } })
  expect(await api.get('/cloud/regions')).toMatchObject({
    regions: [
      { id: 'aws-us-east-1', cloudProvider: 'CLOUD_PROVIDER_AWS', cloudProviderRegion: 'us-east-1' },
      { id: 'aws-eu-west-1' },
    ],
  })
  expect(await api.get('/cloud/regions/aws-eu-west-1')).toMatchObject({ region: { location: 'Europe (Ireland)' } })
})

test('the operator issues a certificate: for a request, and with a key that is handed out once', async () => {
  const request = await certificateRequest('of their own choice')
  const body = { csr: request.csr, commonName: 'worker', organization: 'Analytical Engines' }
  const issued = await operator<IssuedCertificate>('POST', `/tenants/${tenant.id}/certificates`, body)
  const leaf = new X509Certificate(issued.certificate)
  expect(leaf.subject).toBe('O=Analytical Engines\nCN=worker')
  expect(leaf.verify(new X509Certificate(issued.caCertificate).publicKey)).toBe(true)
  expect(issued.privateKey).toBeUndefined()

  certificate = await issueCertificate(tenant, 'another worker')
  expect(certificate.key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  expect(certificate.ca).toBe(issued.caCertificate)
  const { certificates } = await operator<{ certificates: Json[] }>('GET', `/certificates?tenantId=${tenant.id}`)
  expect(certificates.map(({ commonName }) => commonName)).toEqual(expect.arrayContaining(['worker', 'another worker']))
  expect(JSON.stringify(certificates)).not.toContain('PRIVATE KEY')
  certificate = { ...certificate, certificate: issued.certificate, key: request.key }
})

test('a namespace is made, with both kinds of authentication', async () => {
  namespace = await createNamespace(tenant, { name: 'payments', ca: certificate.ca })
  expect(namespace.id).toBe(`payments.${tenant.id}`)
  const endpoint = `payments.${tenant.id}.aqueduct.localhost:7233`
  expect(await tenant.api.get(namespace.path)).toMatchObject({
    namespace: {
      state: 'RESOURCE_STATE_ACTIVE',
      endpoints: { mtlsGrpcAddress: endpoint, grpcAddress: endpoint },
      activeRegion: 'aws-us-east-1',
      spec: { retentionDays: 7, mtlsAuth: { acceptedClientCa: Buffer.from(certificate.ca).toString('base64') } },
    },
  })
  expect(await tenant.api.get('/cloud/namespaces')).toMatchObject({ namespaces: [{ namespace: namespace.id }] })
})

test('a worker and a client run a workflow with the certificate', async () => {
  await workflowBundle()
  const began = performance.now()
  expect(await runGreeting(namespace, { identity: certificate }, 'Ada')).toBe('Hello, Ada!')
  console.log(`  a workflow with worker, activity and client: ${((performance.now() - began) / 1000).toFixed(1)} s`)
})

test('and another with the API key', async () => {
  expect(await runGreeting(namespace, { token: tenant.api.token }, 'Grace')).toBe('Hello, Grace!')
})

test('nobody else gets in', async () => {
  const stranger = await signUp('Difference')
  const strangers = await issueCertificate(stranger, 'stranger')
  const spoofed = { 'x-principal': tenant.userId, 'x-forwarded-client-cert': 'By=me' }
  expect({
    'the owner': await outcome(describeThrough(namespace, { token: tenant.api.token })),
    'a certificate of another tenant': await outcome(describeThrough(namespace, { identity: strangers })),
    'a key of another tenant': await outcome(describeThrough(namespace, { token: stranger.api.token })),
    'no credentials': await outcome(describeThrough(namespace, {})),
    'a spoofed header': await outcome(describeThrough(namespace, { headers: spoofed })),
    'a spoofed header with another key': await outcome(
      describeThrough(namespace, { token: stranger.api.token, headers: spoofed }),
    ),
  }).toEqual({
    'the owner': code.ok,
    'a certificate of another tenant': 'none',
    'a key of another tenant': code.denied,
    'no credentials': code.unauthenticated,
    'a spoofed header': code.unauthenticated,
    'a spoofed header with another key': code.denied,
  })
  expect((await stranger.api.answer('GET', namespace.path)).status).toBe(404)
})
