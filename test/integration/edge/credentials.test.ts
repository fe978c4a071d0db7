import { once } from 'node:events'
import { connect } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EdgeNamespace } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority } from '#libs/pki'
import { until } from '../../harness/until.ts'
import type { Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture, readToken, writeToken } from './edge-fixture.ts'

let edge: EdgeFixture
let both: EdgeNamespace
let certificatesOnly: EdgeNamespace
let keysOnly: EdgeNamespace
let neither: EdgeNamespace
let suspended: EdgeNamespace
let worker: Identity

beforeAll(async () => {
  edge = await EdgeFixture.start()
  const ca: CertificateAuthority = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  const clientCa = { pem: ca.certificatePem, filters: [] }
  worker = await clientIdentity(ca)
  both = edge.namespace('both.t', { clientCa })
  certificatesOnly = edge.namespace('certificates.t', { clientCa, apiKeysEnabled: false })
  keysOnly = edge.namespace('keys.t')
  neither = edge.namespace('neither.t', { apiKeysEnabled: false })
  suspended = edge.namespace('suspended.t', { clientCa, suspended: true })
  await edge.apply([both, certificatesOnly, keysOnly, neither, suspended])
})

afterAll(() => edge.close())

describe('who may pass', () => {
  test('a certificate of the namespace’s CA, with the write token', async () => {
    const { grpcStatus, seen } = await edge.call(both, { identity: worker })
    expect(grpcStatus).toBe(0)
    expect(seen?.authorization).toBe(`Bearer ${writeToken}`)
  })

  test('an API key of a writer, which the namespace token replaces', async () => {
    const { grpcStatus, seen } = await edge.call(both, { token: await edge.apiKey() })
    expect(grpcStatus).toBe(0)
    expect(seen?.authorization).toBe(`Bearer ${writeToken}`)
  })

  test('an API key of a reader, with the read token', async () => {
    const { seen } = await edge.call(keysOnly, { token: await edge.apiKey({ sub: 'sa-reader' }) })
    expect(seen?.authorization).toBe(`Bearer ${readToken}`)
  })

  test('a reader’s key stays a reader’s, whatever certificate comes with it', async () => {
    const token = await edge.apiKey({ sub: 'sa-reader' })
    const { seen } = await edge.call(both, { token, identity: worker })
    expect(seen?.authorization).toBe(`Bearer ${readToken}`)
  })

  test('an authority with the port in it', async () => {
    const { grpcStatus } = await edge.call(both, { identity: worker, authority: `${both.hostname}:7233` })
    expect(grpcStatus).toBe(0)
  })

  test('a message of four megabytes', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024)
    const { seen } = await edge.call(both, { identity: worker, body })
    expect(seen?.received).toBe(body.length)
  })

  test('nothing of the edge’s own headers reaches the frontend', async () => {
    const { seen } = await edge.call(both, { token: await edge.apiKey(), identity: worker })
    expect(Object.keys(seen ?? {}).filter((name) => /principal|aqueduct|envoy|forwarded-(?!proto)/.test(name))).toEqual(
      [],
    )
  })
})

describe('who may not, and is told why', () => {
  test.each([
    ['both', () => both, 'a client certificate or an API key is needed'],
    ['certificates', () => certificatesOnly, 'a client certificate is needed: this namespace takes no API keys'],
    ['keys', () => keysOnly, 'an API key is needed: this namespace takes no client certificates'],
    ['neither', () => neither, 'this namespace takes neither client certificates nor API keys'],
  ])('nobody without credentials: %s', async (_name, namespace, message) => {
    expect(await edge.call(namespace())).toMatchObject({ grpcStatus: 16, message })
  })

  test('a key of somebody whom the namespace does not know, which learns nothing', async () => {
    const foreign = await edge.call(both, { token: await edge.apiKey({ sub: 'usr-other' }) })
    expect(foreign).toMatchObject({ grpcStatus: 7, message: 'the API key does not permit this namespace' })
    // Also where a certificate alone would have done, and in a method that does not exist.
    const path = '/temporal.api.operatorservice.v1.OperatorService/DeleteNamespace'
    const again = await edge.call(both, { token: await edge.apiKey({ sub: 'usr-other' }), identity: worker, path })
    expect(again.message).toBe(foreign.message)
  })

  test('a key where API keys are off counts as none: the certificate decides', async () => {
    const token = await edge.apiKey()
    expect(await edge.call(certificatesOnly, { token })).toMatchObject({ grpcStatus: 16 })
    const { seen } = await edge.call(certificatesOnly, { token, identity: worker })
    expect(seen?.authorization).toBe(`Bearer ${writeToken}`)
  })

  test('a certificate where mTLS is off counts as none', async () => {
    expect(await edge.call(keysOnly, { identity: worker })).toMatchObject({ grpcStatus: 16 })
    expect(await edge.call(neither, { identity: worker, token: await edge.apiKey() })).toMatchObject({ grpcStatus: 16 })
  })

  test('a suspended tenant’s own people; others learn nothing of it', async () => {
    const told = { grpcStatus: 7, message: 'the tenant is suspended' }
    expect(await edge.call(suspended, { identity: worker })).toMatchObject(told)
    expect(await edge.call(suspended, { token: await edge.apiKey() })).toMatchObject(told)
    expect(await edge.call(suspended)).toMatchObject({ grpcStatus: 16 })
    const token = await edge.apiKey({ sub: 'usr-other' })
    expect(await edge.call(suspended, { token })).toMatchObject({
      message: 'the API key does not permit this namespace',
    })
  })
})

describe('bundles and clients of other kinds', () => {
  test('a root with an intermediate that the client presents, an intermediate alone, and two CAs at once', async () => {
    const root = await createCertificateAuthority({ commonName: 'Root', validityDays: 30 })
    const intermediate = await createCertificateAuthority({
      commonName: 'Intermediate',
      validityDays: 30,
      issuer: root,
    })
    const leaf = await clientIdentity(intermediate)
    const chained = { ...leaf, certificatePem: leaf.certificatePem + intermediate.certificatePem }
    const trusting = (pem: string): EdgeNamespace => edge.namespace('bundle.t', { clientCa: { pem, filters: [] } })
    const words = 'My CA, with a few words before it\n'

    await edge.apply([trusting(words + root.certificatePem), keysOnly])
    expect(await edge.call(trusting(''), { identity: chained })).toMatchObject({ grpcStatus: 0 })
    await expect(edge.call(trusting(''), { identity: leaf })).rejects.toThrow()
    await edge.apply([trusting(intermediate.certificatePem), keysOnly])
    expect(await edge.call(trusting(''), { identity: leaf })).toMatchObject({ grpcStatus: 0 })
    const other = await createCertificateAuthority({ commonName: 'Other', validityDays: 30 })
    await edge.apply([trusting(other.certificatePem + intermediate.certificatePem), keysOnly])
    expect(await edge.call(trusting(''), { identity: leaf })).toMatchObject({ grpcStatus: 0 })
    expect(await edge.call(trusting(''), { identity: await clientIdentity(other) })).toMatchObject({ grpcStatus: 0 })
  })

  test('a cell without namespaces has an edge that is up and serves nobody', async () => {
    await edge.apply([])
    await until('nothing is served', () =>
      edge.call(keysOnly).then(
        () => false,
        () => true,
      ),
    )
    const socket = connect(edge.port, edge.address)
    await once(socket, 'connect')
    socket.destroy()
    await edge.apply([keysOnly])
  })

  test('gRPC’s own client understands an answer and a refusal', async () => {
    const target = `${edge.address}:${edge.port}`
    const credentials = grpc.credentials.createSsl(Buffer.from(edge.serverCa.certificatePem))
    const client = new grpc.Client(target, credentials, {
      'grpc.ssl_target_name_override': keysOnly.hostname,
      'grpc.default_authority': keysOnly.hostname,
    })
    const call = (metadata: grpc.Metadata): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        const path = '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo'
        const same = (value: Buffer): Buffer => value
        client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (error, value) =>
          error === null && value !== undefined ? resolve(value) : reject(error),
        )
      })
    const metadata = new grpc.Metadata()
    metadata.set('authorization', `Bearer ${await edge.apiKey()}`)
    expect(JSON.parse((await call(metadata)).toString())).toMatchObject({ authorization: `Bearer ${writeToken}` })
    await expect(call(new grpc.Metadata())).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
      details: 'an API key is needed: this namespace takes no client certificates',
    })
    client.close()
  })
})
