import { connect as connectHttp2, constants } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { credentials, Client as GrpcClient, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Rpc, rpcs } from '#libs/cloud-api'
import { type ApiUnderTest, type Principal, startApi } from './api-under-test.ts'

/** Inputs a method, over each transport. */
const runs = 12
/** gRPC statuses that say that we did something wrong. */
const ours: readonly number[] = [status.INTERNAL, status.UNKNOWN, status.DATA_LOSS, status.ABORTED]

let api: ApiUnderTest
let owner: Principal
let url: string
let grpcPort: number
let client: GrpcClient

beforeAll(async () => {
  api = await startApi()
  owner = await api.newTenant('aaaaa')
  url = await api.listen()
  grpcPort = api.grpcPort
  client = new GrpcClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure())
})
afterAll(async () => {
  client.close()
  await api.close()
})

function send(rpc: Rpc, message: Uint8Array): Promise<number> {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${owner.token}`)
  const bytes = (value: Uint8Array) => Buffer.from(value)
  return new Promise((resolve) => {
    client.makeUnaryRequest(rpc.grpcPath, bytes, bytes, message, metadata, (error: ServiceError | null) =>
      resolve(error === null ? status.OK : error.code),
    )
  })
}

/** Values that fit no field, and such as fit the wrong one. */
const oddJson = fc.jsonValue({ maxDepth: 4 })
const oddText = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('\u0000', '%00', '../..', '🦩'))

/** A message of the type whose fields hold odd things, as JSON. */
function oddMessage(rpc: Rpc): fc.Arbitrary<object> {
  const names = rpc.requestType.fieldsArray.map((field) => field.jsonName)
  const spec = rpc.requestType.fields.spec?.resolvedType
  const inner = spec !== undefined && spec !== null && 'fieldsArray' in spec ? spec.fieldsArray : []
  const fieldsOf = (fields: readonly string[]) =>
    fc.dictionary(fc.constantFrom('x', ...fields), fc.oneof(oddText, oddJson), { maxKeys: 6 })
  return fc
    .tuple(fieldsOf(names), fieldsOf(inner.map((field) => field.jsonName)), fc.boolean())
    .map(([top, spec, withSpec]) => (withSpec && inner.length > 0 ? { ...top, spec } : top))
}

/** A good encoding of a message of the type, with some bytes of it changed. */
function bentMessage(rpc: Rpc): fc.Arbitrary<Uint8Array> {
  const filled = Object.fromEntries(
    rpc.requestType.fieldsArray.flatMap((field) =>
      field.type === 'string' && !field.repeated ? [[field.name, 'abc']] : [],
    ),
  )
  const good = rpc.requestType.encode(filled).finish()
  return fc
    .array(fc.tuple(fc.nat({ max: Math.max(0, good.length - 1) }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((changes) => {
      const bent = Uint8Array.from(good)
      for (const [at, value] of changes) if (at < bent.length) bent[at] = value
      return bent
    })
}

async function expectAlive(): Promise<void> {
  const answer = await fetch(`${url}/cloud/regions`, { headers: { authorization: `Bearer ${owner.token}` } })
  expect(answer.status).toBe(200)
  await answer.body?.cancel()
  const rpc = rpcs.find(({ name }) => name === 'GetRegions')
  if (rpc === undefined) throw new Error('GetRegions is gone')
  expect(await send(rpc, new Uint8Array())).toBe(status.OK)
}

describe.each(rpcs.map((rpc) => [rpc.name, rpc] as const))('%s', (_name, rpc) => {
  test('takes any bytes over gRPC', async () => {
    const message = fc.oneof(fc.uint8Array({ maxLength: 200 }), bentMessage(rpc))
    await fc.assert(
      fc.asyncProperty(message, async (bytes) => {
        expect(ours).not.toContain(await send(rpc, bytes))
      }),
      { numRuns: runs },
    )
  })

  test('takes any JSON, path and query over REST', async () => {
    const ids = fc.array(oddText, { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(ids, oddMessage(rpc), oddText, async (variables, message, query) => {
        let index = 0
        const path = rpc.path.replace(/\{[^}]+\}/g, () => encodeURIComponent((variables[index++] ?? '').toWellFormed()))
        const search = rpc.verb === 'POST' ? '' : `?page_token=${encodeURIComponent(query.toWellFormed())}`
        const answer = await fetch(`${url}${path}${search}`, {
          method: rpc.verb,
          headers: { authorization: `Bearer ${owner.token}`, 'content-type': 'application/json' },
          ...(rpc.verb === 'POST' ? { body: JSON.stringify(message) } : {}),
        })
        const body = await answer.text()
        expect(answer.status === 501 || answer.status < 500, `${answer.status} ${body}`).toBe(true)
        expect(() => JSON.parse(body), body).not.toThrow()
      }),
      { numRuns: runs },
    )
  })
})

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const repeat = (times: number, bytes: Buffer) => Buffer.concat(Array.from({ length: times }, () => bytes))
const [data, headers, settings, ping, continuation, windowUpdate, rst] = [0, 1, 4, 6, 9, 8, 3]

const hostile: readonly (readonly [string, Buffer])[] = [
  ['no preface', Buffer.from('hello, world\r\n\r\n')],
  ['half a preface', preface.subarray(0, 12)],
  [
    'a frame longer than it says',
    Buffer.concat([preface, frame(settings, 0, 0), Buffer.from('ffffff0000000000', 'hex')]),
  ],
  ['data on no stream', Buffer.concat([preface, frame(settings, 0, 0), frame(data, 0, 1, Buffer.alloc(10))])],
  [
    'headers that are not HPACK',
    Buffer.concat([preface, frame(settings, 0, 0), frame(headers, 5, 1, Buffer.alloc(100, 0xff))]),
  ],
  ['a flood of settings', Buffer.concat([preface, repeat(20_000, frame(settings, 0, 0))])],
  [
    'a flood of pings',
    Buffer.concat([preface, frame(settings, 0, 0), repeat(20_000, frame(ping, 0, 0, Buffer.alloc(8)))]),
  ],
  [
    'headers that never end',
    Buffer.concat([
      preface,
      frame(settings, 0, 0),
      frame(headers, 0, 1),
      repeat(2_000, frame(continuation, 0, 1, Buffer.alloc(1_000, 0x40))),
    ]),
  ],
  [
    'a window of nothing',
    Buffer.concat([preface, frame(settings, 0, 0), repeat(100, frame(windowUpdate, 0, 0, Buffer.alloc(4)))]),
  ],
  [
    'unknown frames',
    Buffer.concat([preface, frame(settings, 0, 0), repeat(1_000, frame(0xee, 0xff, 7, Buffer.alloc(16, 1)))]),
  ],
  [
    'streams that are reset',
    Buffer.concat([preface, frame(settings, 0, 0), repeat(2_000, frame(rst, 0, 1, Buffer.alloc(4)))]),
  ],
]

async function pour(port: number, bytes: Uint8Array): Promise<void> {
  const socket: Socket = connect(port, '127.0.0.1')
  await new Promise<void>((resolve) => {
    // The server may hang up in the middle: that is an answer, too.
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
    socket.resume()
    socket.write(bytes, () => socket.end())
  })
  socket.destroy()
}

describe('HTTP/2', () => {
  test.each(hostile)('lives on after %s', async (_what, bytes) => {
    await pour(grpcPort, bytes)
    await pour(Number(new URL(url).port), bytes)
    await expectAlive()
  })

  test('lives on after any bytes', async () => {
    const frames = fc.array(
      fc
        .tuple(fc.nat({ max: 12 }), fc.nat({ max: 255 }), fc.nat({ max: 9 }), fc.uint8Array({ maxLength: 64 }))
        .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload)),
      { maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(frames, async (list) => {
        await pour(grpcPort, Buffer.concat([preface, ...list]))
      }),
      { numRuns: 60 },
    )
    await expectAlive()
  })

  test('lives on after calls that are given up at once', async () => {
    const session = connectHttp2(`http://127.0.0.1:${grpcPort}`)
    session.on('error', () => undefined)
    for (let call = 0; call < 2_000 && !session.destroyed; call++) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/temporal.api.cloud.cloudservice.v1.CloudService/GetNamespaces',
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${owner.token}`,
      })
      stream.on('error', () => undefined)
      stream.close(constants.NGHTTP2_CANCEL)
    }
    session.destroy()
    await expectAlive()
  })
})
