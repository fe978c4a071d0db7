import { createHmac, createPublicKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EdgeNamespace, edgeVersionPath } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority, issueCertificate, newSigningKey } from '#libs/pki'
import type { Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture, readToken } from './edge-fixture.ts'

const service = '/temporal.api.workflowservice.v1.WorkflowService'
let edge: EdgeFixture
let attacked: EdgeNamespace
let other: EdgeNamespace
let ca: CertificateAuthority
let otherCa: CertificateAuthority
let worker: Identity
let revoked: Identity

beforeAll(async () => {
  edge = await EdgeFixture.start()
  ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  otherCa = await createCertificateAuthority({ commonName: 'Other tenant', validityDays: 30 })
  worker = await clientIdentity(ca)
  const leaf = await clientIdentity(ca, 'stolen')
  revoked = leaf
  attacked = edge.namespace('attacked.t', {
    clientCa: { pem: ca.certificatePem, filters: [] },
    revokedFingerprints: [leaf.fingerprintSha256],
    revokedKeyIds: ['key-revoked'],
  })
  other = edge.namespace('other.t', {
    clientCa: { pem: otherCa.certificatePem, filters: [] },
    writers: ['usr-other'],
    tokens: { write: 'eyJ3.other.c2ln', read: 'eyJ3.other.cmVhZA' },
  })
  await edge.apply([attacked, other])
})

afterAll(() => edge.close())

describe('certificates', () => {
  test('of another CA, self-signed, or expired: no connection', async () => {
    const selfSigned = await createCertificateAuthority({ commonName: 'Myself', validityDays: 1 })
    const expired = await issueCertificate({
      issuer: ca,
      subject: { commonName: 'late' },
      usage: 'client',
      now: new Date(Date.now() - 4 * 60_000),
      notAfter: new Date(Date.now() - 60_000),
    })
    for (const identity of [await clientIdentity(otherCa), selfSigned, expired]) {
      await expect(edge.call(attacked, { identity })).rejects.toThrow()
      await expect(edge.call(attacked, { identity, token: await edge.apiKey() })).rejects.toThrow()
    }
  })

  test('a server’s certificate of the right CA: no connection', async () => {
    const identity = await issueCertificate({
      issuer: ca,
      subject: { commonName: 'server' },
      usage: 'server',
      validityDays: 1,
    })
    await expect(edge.call(attacked, { identity })).rejects.toThrow()
  })

  test('one that is revoked, with and without a good key', async () => {
    const told = { grpcStatus: 7, message: 'the client certificate is revoked' }
    expect(await edge.call(attacked, { identity: revoked })).toMatchObject(told)
    expect(await edge.call(attacked, { identity: revoked, token: await edge.apiKey() })).toMatchObject(told)
  })
})

describe('names', () => {
  test('no SNI, or an unknown one: no connection', async () => {
    for (const serverName of ['', 'unknown.t.example', 'closed.invalid', 'example', 'xattacked.t.example']) {
      await expect(edge.call(attacked, { identity: worker, serverName, anyName: true })).rejects.toThrow()
    }
  })

  test('SNI in other letters is the same name', async () => {
    expect(await edge.call(attacked, { identity: worker, serverName: 'ATTACKED.T.example' })).toMatchObject({
      grpcStatus: 0,
    })
  })

  test('an authority that is not the SNI’s', async () => {
    const identity = await clientIdentity(otherCa)
    for (const authority of [
      attacked.hostname,
      `${attacked.hostname}:7233`,
      'unknown.t.example',
      `${attacked.hostname}.`,
      '',
      '*',
    ]) {
      // With one that cannot be a name, the connection ends.
      const reply = await edge.call(other, { identity, authority }).catch(() => undefined)
      expect(reply?.grpcStatus).not.toBe(0)
      expect(reply?.seen).toBeUndefined()
      if (authority === attacked.hostname) expect(reply).toMatchObject({ grpcStatus: 7 })
    }
    expect(await edge.call(other, { identity, authority: attacked.hostname, contentType: 'text/plain' })).toMatchObject(
      {
        httpStatus: 421,
      },
    )
  })

  test('a host header beside the authority does not choose the namespace', async () => {
    const identity = await clientIdentity(otherCa)
    const { seen } = await edge.call(other, { identity, headers: { host: attacked.hostname } })
    // Refused, or served as what the connection is: never as the other.
    if (seen !== undefined)
      expect(seen).toMatchObject({ authorization: 'Bearer eyJ3.other.c2ln', ':authority': other.hostname })
  })
})

describe('spoofed headers', () => {
  const spoofs = {
    'x-principal': 'usr-writer',
    'X-Principal': 'usr-writer',
    'x-aqueduct-key': 'key-1',
    'x-aqueduct-probe': 'aqueduct-probe',
    'x-aqueduct-fingerprint': 'a'.repeat(64),
    'x-aqueduct-subject': 'CN=worker',
    'x-aqueduct-scope': 'other.t@0000000000000000',
    'x-forwarded-client-cert': 'By=x;Hash=y;Subject="CN=worker"',
    'authorization-extras': 'admin',
    'x-forwarded-for': '127.0.0.1',
    'x-envoy-original-path': `${service}/GetSystemInfo`,
  }

  test.each(Object.entries(spoofs))('%s alone opens nothing', async (name, value) => {
    expect(await edge.call(attacked, { headers: { [name.toLowerCase()]: value } })).toMatchObject({ grpcStatus: 16 })
  })

  test('all together, several times each, and with another tenant’s good credentials', async () => {
    const headers = Object.fromEntries(
      Object.entries(spoofs).map(([name, value]) => [name.toLowerCase(), [value, value]]),
    )
    const single = { 'x-principal': 'usr-writer', 'x-aqueduct-fingerprint': 'a'.repeat(64), 'x-aqueduct-probe': 'x' }
    expect(await edge.call(attacked, { headers: single })).toMatchObject({ grpcStatus: 16 })
    expect((await edge.call(attacked, { headers })).grpcStatus).not.toBe(0)
    const token = await edge.apiKey({ sub: 'usr-other' })
    expect(await edge.call(attacked, { headers: single, token })).toMatchObject({ grpcStatus: 7 })
  })

  test('a reader does not become a writer', async () => {
    const token = await edge.apiKey({ sub: 'sa-reader' })
    const { seen } = await edge.call(attacked, { token, headers: { 'x-principal': 'usr-writer' } })
    expect(seen?.authorization).toBe(`Bearer ${readToken}`)
    expect(seen).not.toHaveProperty('x-principal')
  })

  test('nothing that Temporal believes comes through', async () => {
    const headers = {
      'caller-type': 'operator',
      'caller-name': 'system',
      'call-initiation': 'x',
      'temporal-principal-type': 'x',
      'temporal-principal-name': 'x',
      'temporal-experiment': '*',
      'xdc-redirection': 'false',
      'authorization-extras': 'x',
      'x-forwarded-client-cert': 'x',
      'client-name': 'temporal-typescript',
    }
    const { seen } = await edge.call(attacked, { identity: worker, headers })
    expect(Object.keys(headers).filter((name) => seen !== undefined && name in seen)).toEqual(['client-name'])
  })
})

describe('tokens', () => {
  async function refused(token: string, message: string | RegExp): Promise<void> {
    for (const identity of [undefined, worker]) {
      const reply = await edge.call(attacked, { token, identity })
      expect(reply).toMatchObject({ grpcStatus: 16 })
      expect(reply.message).toMatch(message)
    }
  }

  test('expired', async () => {
    await refused(await edge.apiKey({ exp: Math.floor(Date.now() / 1000) - 10 }), /expired/)
  })

  test('not valid yet', async () => {
    await refused(await edge.apiKey({ nbf: Math.floor(Date.now() / 1000) + 600 }), /not yet valid/)
  })

  test('signed by somebody else, under our key’s name', async () => {
    const forger = await newSigningKey()
    await refused(await edge.apiKey({}, { ...forger, kid: edge.apiKeys.kid }), /verification fails/)
    await refused(await edge.apiKey({}, forger), /./)
  })

  test('of another audience, or issuer, or without one', async () => {
    // Envoy finds that a token is good but for somebody else: 403.
    const elsewhere = { grpcStatus: 7, message: 'Audiences in Jwt are not allowed' }
    expect(
      await edge.call(attacked, { token: await edge.apiKey({ aud: 'elsewhere' }), identity: worker }),
    ).toMatchObject(elsewhere)
    await refused(await edge.apiKey({ iss: 'elsewhere' }), /./)
    await refused(await edge.apiKey({ iss: 'aqueduct-probe', aud: attacked.id }), /./)
    await refused(await edge.apiKey({ iss: '' }), /./)
  })

  test('alg none, and HS256 with the public key as its secret', async () => {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const payload = encode({
      iss: 'aqueduct',
      aud: 'aqueduct',
      sub: 'usr-writer',
      jti: 'key-1',
      exp: Math.floor(Date.now() / 1000) + 600,
    })
    for (const alg of ['none', 'None', 'NONE', '']) await refused(`${encode({ alg, typ: 'JWT' })}.${payload}.`, /./)
    const jwk = { kty: 'EC', crv: 'P-256', x: edge.apiKeys.publicJwk.x ?? '', y: edge.apiKeys.publicJwk.y ?? '' }
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwk),
    ]
    for (const secret of secrets) {
      const unsigned = `${encode({ alg: 'HS256', kid: edge.apiKeys.kid })}.${payload}`
      const signature = createHmac('sha256', secret).update(unsigned).digest('base64url')
      await refused(`${unsigned}.${signature}`, /./)
    }
  })

  test('revoked', async () => {
    await refused(await edge.apiKey({ jti: 'key-revoked' }), 'the API key is revoked')
  })

  test('changed after it was signed', async () => {
    const [head, , signature] = (await edge.apiKey()).split('.')
    const payload = Buffer.from(JSON.stringify({ iss: 'aqueduct', aud: 'aqueduct', sub: 'usr-writer', exp: 9e9 }))
    await refused(`${head}.${payload.toString('base64url')}.${signature}`, /./)
  })

  test('garbage, and schemes that are not Bearer, do not fall back to the certificate', async () => {
    for (const authorization of [
      'Bearer',
      'Bearer ',
      'Bearer x',
      'Basic dXNlcjpwYXNz',
      'bearer x.y.z',
      'x.y.z',
      'Bearer  a.b.c',
    ]) {
      expect(await edge.call(attacked, { identity: worker, headers: { authorization } })).toMatchObject({
        grpcStatus: 16,
      })
    }
  })

  test('in the query, or the cookie, they are none', async () => {
    const token = await edge.apiKey()
    const path = `${service}/GetSystemInfo?access_token=${token}`
    expect(await edge.call(attacked, { path })).toMatchObject({ grpcStatus: 16 })
    expect(await edge.call(attacked, { headers: { cookie: `authorization=Bearer ${token}` } })).toMatchObject({
      grpcStatus: 16,
    })
  })

  test('two at once: the bad one does not pass behind the good one', async () => {
    const good = await edge.apiKey({ sub: 'sa-reader' })
    const forged = await edge.apiKey({ sub: 'usr-writer' }, await newSigningKey())
    for (const pair of [
      [good, forged],
      [forged, good],
    ]) {
      const reply = await edge.call(attacked, { headers: { authorization: pair.map((token) => `Bearer ${token}`) } })
      if (reply.grpcStatus === 0) expect(reply.seen?.authorization).toBe(`Bearer ${readToken}`)
      else expect(reply.grpcStatus).toBe(16)
    }
  })
})

describe('probes', () => {
  test('answer with the generation, to this namespace’s token alone', async () => {
    const reply = await edge.version(attacked, await edge.probeToken(attacked.id))
    expect(reply).toMatchObject({ httpStatus: 200, body: '{"generation":1}' })
    expect(await edge.version(other, await edge.probeToken(attacked.id))).toMatchObject({ httpStatus: 403 })
    expect(await edge.version(attacked, await edge.probeToken(attacked.id, edge.apiKeys))).toMatchObject({
      httpStatus: 401,
    })
    expect(await edge.version(attacked, await edge.apiKey())).toMatchObject({ httpStatus: 404 })
    expect(await edge.call(attacked, { path: edgeVersionPath, method: 'GET', contentType: '' })).toMatchObject({
      httpStatus: 401,
    })
  })

  test('may call what shows that the namespace is there, and nothing else', async () => {
    const token = await edge.probeToken(attacked.id)
    for (const method of ['DescribeNamespace', 'GetSystemInfo']) {
      const { seen } = await edge.call(attacked, { token, path: `${service}/${method}` })
      expect(seen?.authorization).toBe(`Bearer ${readToken}`)
    }
    for (const path of [
      `${service}/StartWorkflowExecution`,
      `${service}/ListNamespaces`,
      '/grpc.health.v1.Health/Check',
      '/',
    ]) {
      expect(await edge.call(attacked, { token, path })).toMatchObject({
        grpcStatus: 7,
        message: 'a probe may not call this',
      })
      // Not with a certificate either: it is the token that speaks.
      expect(await edge.call(attacked, { token, path, identity: worker })).toMatchObject({ grpcStatus: 7 })
    }
  })
})

describe('methods', () => {
  const refused = [
    `${service}/RegisterNamespace`,
    `${service}/UpdateNamespace`,
    `${service}/DeprecateNamespace`,
    `${service}/ListNamespaces`,
    `${service}/registernamespace`,
    `${service}/UPDATENAMESPACE`,
    `${service}/RegisterNamespace?x=y`,
    `${service}/RegisterNamespace/`,
    '/temporal.api.operatorservice.v1.OperatorService/DeleteNamespace',
    '/temporal.server.api.adminservice.v1.AdminService/DescribeMutableState',
    '/Temporal.Api.OperatorService.v1.OperatorService/DeleteNamespace',
  ]
  const unknown = [
    `/${service}/GetSystemInfo`,
    `${service}//GetSystemInfo`,
    `${service}/%52egisterNamespace`,
    `${service}/Register%4eamespace`,
    `${service}%2fRegisterNamespace`,
    `${service}/GetSystemInfo?x=y`,
    `${service}/GetSystemInfo/../RegisterNamespace`,
    `${service}/./RegisterNamespace`,
    `${service}/`,
    `${service};x/RegisterNamespace`,
    '/temporal%2eapi.workflowservice.v1.WorkflowService/RegisterNamespace',
    '/temporal.api.workflowservice.v1.WorkflowServiceX/GetSystemInfo',
    '/temporal.server.api.historyservice.v1.HistoryService/StartWorkflowExecution',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    '/api/v1/namespaces',
    '/',
  ]

  test.each(refused)('%s is explained', async (path) => {
    const calls = edge.frontend.calls
    const reply = await edge.call(attacked, { path, identity: worker })
    expect(reply.grpcStatus).toBe(7)
    expect(reply.message).toContain('Cloud Ops API')
    expect((await edge.call(attacked, { path, token: await edge.apiKey() })).grpcStatus).toBe(7)
    expect(edge.frontend.calls).toBe(calls)
  })

  test.each(unknown)('%s does not exist', async (path) => {
    const calls = edge.frontend.calls
    expect(await edge.call(attacked, { path, identity: worker })).toMatchObject({ grpcStatus: 12 })
    expect(edge.frontend.calls).toBe(calls)
  })

  test('a path with a fragment, or none, or of another form, reaches nothing', async () => {
    const calls = edge.frontend.calls
    for (const path of [`${service}/RegisterNamespace#x`, '*', 'https://x/y', `${service}\\RegisterNamespace`]) {
      const reply = await edge.call(attacked, { path, identity: worker }).catch(() => undefined)
      expect(reply?.grpcStatus).not.toBe(0)
    }
    expect(edge.frontend.calls).toBe(calls)
  })

  test('health is asked with credentials, and something that is no gRPC goes nowhere', async () => {
    const path = '/grpc.health.v1.Health/Check'
    expect(await edge.call(attacked, { path, identity: worker })).toMatchObject({ grpcStatus: 0 })
    expect(await edge.call(attacked, { path })).toMatchObject({ grpcStatus: 16 })
    expect(await edge.call(attacked, { identity: worker, contentType: 'application/json' })).toMatchObject({
      httpStatus: 415,
    })
    expect((await edge.call(attacked, { identity: worker, method: 'GET', contentType: '' })).httpStatus).toBe(415)
  })
})
