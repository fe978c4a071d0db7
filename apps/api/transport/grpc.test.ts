import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AppError, invalidField } from '#libs/base'
import { cloud, packAny, rpcNamed } from '#libs/cloud-api'
import { createCertificateAuthority, issueCertificate } from '#libs/pki'
import type { CallContext } from './call-context.ts'
import { type FakeClaims, fakeDispatch } from './fixture.ts'
import { type GrpcServer, startGrpc } from './grpc.ts'
import { healthService } from './grpc-health.ts'

const contexts: CallContext<FakeClaims>[] = []
let server: GrpcServer
let plain: Client
let folder: string

beforeAll(async () => {
  const authority = await createCertificateAuthority({ commonName: 'test CA', validityDays: 1 })
  const leaf = await issueCertificate({
    issuer: authority,
    subject: { commonName: 'localhost' },
    usage: 'server',
    dnsNames: ['localhost'],
    validityDays: 1,
  })
  const dispatch = fakeDispatch({
    GetNamespace: async (context, { namespace }) => {
      contexts.push(context)
      if (namespace === 'bug') throw new TypeError('password is hunter2')
      if (namespace === 'gone') throw new AppError('not_found', 'namespace "gone" not found — ünïcode')
      return { namespace: { namespace: namespace ?? '', state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE } }
    },
    CreateNamespace: async (_context, request) => {
      if (request.spec?.name === 'bad') throw invalidField('spec.name', 'is bad')
      return { namespace: 'a.b', asyncOperation: { id: 'op-1', operationInput: packAny('CreateNamespace', request) } }
    },
  })
  server = await startGrpc({
    dispatch,
    listeners: [
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.1', port: 0, tls: { key: leaf.keyPem, certificateChain: leaf.certificatePem } },
    ],
  })
  plain = new Client(`127.0.0.1:${server.ports[0]}`, credentials.createInsecure())
  folder = await mkdtemp(join(tmpdir(), 'aqueduct-grpc-'))
  await writeFile(join(folder, 'ca.pem'), authority.certificatePem)
})

afterAll(async () => {
  plain.close()
  await server.stop(1000)
  await rm(folder, { recursive: true })
})

const clientScript = `
import { CloudOperationsClient, CloudOperationsConnection } from '@temporalio/cloud'
const connection = await CloudOperationsConnection.connect({ address: process.argv[1], apiKey: 'good', connectTimeout: 5000 })
const { cloudService } = new CloudOperationsClient({ connection })
const found = await cloudService.getNamespace({ namespace: 'orders.f45a2' })
const created = await cloudService.createNamespace({ spec: { name: 'a' } })
const gone = await cloudService.getNamespace({ namespace: 'gone' }).catch((error) => error)
const health = await connection.healthService.check({})
console.log(JSON.stringify({
  state: found.namespace.state,
  input: created.asyncOperation.operationInput.type_url,
  gone: { code: gone.code, details: gone.details },
  health: health.status,
}))
connection.close()
`

interface Answer {
  readonly bytes?: Buffer
  readonly error?: ServiceError
  readonly initial?: Metadata
}

function call(path: string, request: Uint8Array, headers: Record<string, string>): Promise<Answer> {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  const same = (bytes: Buffer) => bytes
  return new Promise((resolve) => {
    let initial: Metadata | undefined
    plain
      .makeUnaryRequest(
        path,
        same,
        same,
        Buffer.from(request),
        metadata,
        { deadline: Date.now() + 5000 },
        (error, bytes) =>
          resolve({ ...(error ? { error } : { bytes }), ...(initial === undefined ? {} : { initial }) } as Answer),
      )
      .on('metadata', (received) => {
        initial = received
      })
  })
}

const getNamespace = rpcNamed('GetNamespace')
const authorization = 'Bearer good'

test("Temporal's own client works over TLS, as it is", async () => {
  // In a process of its own, since it has no option for a CA: its users set this variable, which is read at start.
  const env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') }
  const parameters = ['--input-type=module', '--eval', clientScript, `localhost:${server.ports[1]}`]
  const { stdout } = await promisify(execFile)(process.execPath, parameters, { env })
  expect(JSON.parse(stdout)).toEqual({
    state: 3,
    input: 'type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateNamespaceRequest',
    gone: { code: 5, details: 'namespace "gone" not found — ünïcode' },
    health: 1,
  })
  const context = contexts.at(-1)
  expect(context).toMatchObject({ claims: { id: 'usr-1' }, transport: 'grpc', sourceAddress: '127.0.0.1' })
  expect(context?.requestId).toMatch(/^[0-9a-f-]{36}$/)
  expect(context).not.toHaveProperty('apiVersion')
})

test('metadata reaches the handler, and the request id comes back', async () => {
  const headers = { authorization, 'x-request-id': 'mine-1', 'temporal-cloud-api-version': 'v0.10.0' }
  const answer = await call(
    getNamespace.grpcPath,
    getNamespace.requestType.encode({ namespace: 'x.y' }).finish(),
    headers,
  )
  expect(answer.initial?.get('x-request-id')).toEqual(['mine-1'])
  expect(contexts.at(-1)).toMatchObject({ requestId: 'mine-1', apiVersion: 'v0.10.0', deadline: expect.any(Date) })
})

test('errors carry their code, message and details', async () => {
  const { requestType, grpcPath } = rpcNamed('CreateNamespace')
  const { error } = await call(grpcPath, requestType.encode({ spec: { name: 'bad' } }).finish(), { authorization })
  expect(error).toMatchObject({ code: 3, details: 'spec.name: is bad' })
  const details = error?.metadata.get('grpc-status-details-bin')[0]
  expect(String(details)).toContain('type.googleapis.com/google.rpc.BadRequest')
  const bug = await call(grpcPath.replace('CreateNamespace', 'GetNamespace'), Buffer.from('\n\x03bug'), {
    authorization,
    'x-request-id': 'r-9',
  })
  expect(bug.error).toMatchObject({ code: 13, details: 'internal error; request id r-9' })
})

test('strangers are refused before their request is read', async () => {
  for (const request of [Buffer.from('\n\x03a.b'), Buffer.from('\xff\xff\xff', 'latin1')]) {
    const answer = await call(getNamespace.grpcPath, request, {})
    expect(answer.error?.code).toBe(16)
  }
  expect((await call(rpcNamed('GetUsers').grpcPath, Buffer.alloc(0), {})).error?.code).toBe(16)
})

test('nobody waits for a stranger’s message, nor keeps it', async () => {
  const session = connect(`http://127.0.0.1:${server.ports[0]}`)
  try {
    const headers = { ':method': 'POST', ':path': getNamespace.grpcPath, 'content-type': 'application/grpc' }
    const stream = session.request(headers)
    // A megabyte is announced, and never comes.
    stream.write(Buffer.from([0, 0, 0x10, 0, 0]))
    const [answer] = await once(stream, 'trailers')
    expect(answer).toMatchObject({ 'grpc-status': '16', 'grpc-message': 'an%20API%20key%20is%20needed' })
    expect(session.remoteSettings.maxConcurrentStreams).toBe(100)
  } finally {
    session.destroy()
  }
})

test('what is not implemented, malformed, or too large is said so, and the server lives on', async () => {
  const codes = [
    (await call(rpcNamed('GetUsers').grpcPath, Buffer.alloc(0), { authorization })).error?.code,
    (await call('/api.requestservice.v1.RequestService/GetRequestStatus', Buffer.alloc(0), { authorization })).error
      ?.code,
    (await call(getNamespace.grpcPath, Buffer.from('\xff\xff\xff', 'latin1'), { authorization })).error?.code,
    (await call(getNamespace.grpcPath, Buffer.alloc(1024 * 1024 + 1), { authorization })).error?.code,
    (await call(getNamespace.grpcPath, Buffer.from('\n\x03a.b'), { authorization })).error?.code,
  ]
  expect(codes).toEqual([12, 12, 3, 8, undefined])
})

test('health: Check and Watch', async () => {
  expect((await call('/grpc.health.v1.Health/Check', Buffer.from('\n\x08nonsense'), {})).error?.code).toBe(5)
  const { path, requestSerialize, responseDeserialize } = healthService.Watch
  const watch = plain.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { service: 'nonsense' },
    new Metadata(),
  )
  const first = await new Promise((resolve) => watch.once('data', resolve))
  expect(first).toEqual({ status: 3 })
  watch.on('error', () => undefined)
  watch.cancel()
})

test('an address in use is an error', async () => {
  const listeners = [{ host: '127.0.0.1', port: server.ports[0] ?? 0 }]
  await expect(startGrpc({ dispatch: fakeDispatch({}), listeners })).rejects.toThrow(
    /^gRPC cannot listen on 127\.0\.0\.1:\d+: /,
  )
})

test('stopping ends a Watch', async () => {
  const other = await startGrpc({ dispatch: fakeDispatch({}), listeners: [{ host: '127.0.0.1', port: 0 }] })
  const client = new Client(`127.0.0.1:${other.ports[0]}`, credentials.createInsecure())
  const { path, requestSerialize, responseDeserialize } = healthService.Watch
  const watch = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    { service: '' },
    new Metadata(),
  )
  const seen: { status: number }[] = []
  const ended = new Promise((resolve) => watch.on('data', (status) => seen.push(status)).on('end', resolve))
  await new Promise((resolve) => watch.once('data', resolve))
  await other.stop(5000)
  await ended
  client.close()
  expect(seen).toEqual([{ status: 1 }, { status: 2 }])
})
