import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EdgeNamespace, type PrivateLink, proxyFieldOf, proxyHeader } from '#libs/domain/edges'
import { type CertificateAuthority, createCertificateAuthority } from '#libs/pki'
import { until } from '../../harness/until.ts'
import type { Identity } from './edge-client.ts'
import { clientIdentity, EdgeFixture, type TestCall } from './edge-fixture.ts'

const cutWithinMs = 4_000
const aws: PrivateLink = { provider: 'aws', connectionId: 'vpce-0123456789abcdef0' }
const otherAws: PrivateLink = { provider: 'aws', connectionId: 'vpce-0123456789abcdef1' }
/** Its bytes 7c 3b d7 a4 are no UTF-8: as text, `a5` in the place of `a4` would look the same. */
const gcp: PrivateLink = { provider: 'gcp', connectionId: '107025456148258820' }
const nearlyGcp: PrivateLink = { provider: 'gcp', connectionId: '107025456148324356' }

let edge: EdgeFixture
let ca: CertificateAuthority
let worker: Identity
let open: EdgeNamespace
let closed: EdgeNamespace
let both: EdgeNamespace
let neighbour: EdgeNamespace
let nowhere: EdgeNamespace

beforeAll(async () => {
  edge = await EdgeFixture.start()
  ca = await createCertificateAuthority({ commonName: 'Tenant', validityDays: 30 })
  worker = await clientIdentity(ca)
  const namespace = (id: string, reach?: EdgeNamespace['reach']) =>
    edge.namespace(id, {
      clientCa: { pem: ca.certificatePem, filters: [] },
      ...(reach === undefined ? {} : { reach }),
    })
  open = namespace('open.t')
  closed = namespace('closed.t', { isPublic: false, privateLinks: [aws, gcp] })
  both = namespace('both.t', { isPublic: true, privateLinks: [aws] })
  neighbour = namespace('neighbour.t', { isPublic: false, privateLinks: [otherAws] })
  nowhere = namespace('nowhere.t', { isPublic: false, privateLinks: [] })
  await edge.apply([open, closed, both, neighbour])
})

afterAll(() => edge.close())

const by = (link: PrivateLink): TestCall => edge.privately(proxyFieldOf(link))
const call = (namespace: EdgeNamespace, way: TestCall = {}) => edge.call(namespace, { identity: worker, ...way })

/** No connection that carries a call, with a certificate and with a key. */
async function refused(namespace: EdgeNamespace, way: TestCall): Promise<void> {
  const calls = edge.frontend.calls
  const token = await edge.apiKey()
  await Promise.all([
    expect(call(namespace, way)).rejects.toThrow(),
    expect(edge.call(namespace, { ...way, token })).rejects.toThrow(),
  ])
  expect(edge.frontend.calls).toBe(calls)
}

describe('the public listener', () => {
  test('serves who has no rules or a public one, and nobody who has private ones alone', async () => {
    expect(await call(open)).toMatchObject({ grpcStatus: 0 })
    expect(await call(both)).toMatchObject({ grpcStatus: 0 })
    await refused(closed, {})
  })

  test('takes nobody’s word on how they came', async () => {
    for (const namespace of [open, closed, both]) {
      await refused(namespace, { before: proxyHeader([proxyFieldOf(aws)]) })
    }
  })
})

describe('the private listener', () => {
  test('lets in who comes by a connection of a rule, with good credentials', async () => {
    for (const link of [aws, gcp]) {
      expect(await call(closed, by(link))).toMatchObject({ grpcStatus: 0 })
      expect(await edge.call(closed, { ...by(link), token: await edge.apiKey() })).toMatchObject({ grpcStatus: 0 })
      expect(await edge.call(closed, by(link))).toMatchObject({ grpcStatus: 16 })
    }
    expect(await call(both, by(aws))).toMatchObject({ grpcStatus: 0 })
  })

  test('refuses whose connection is not of a rule', async () => {
    for (const link of [otherAws, nearlyGcp, { provider: 'aws', connectionId: gcp.connectionId }] as const) {
      await refused(closed, by(link))
    }
    await refused(both, by(gcp))
    await refused(neighbour, by(aws))
    // Public, but not here.
    await refused(open, by(aws))
  })

  test('refuses what is not exactly the field', async () => {
    const { type, value } = proxyFieldOf(aws)
    const id = Buffer.from(aws.connectionId)
    const other: readonly Uint8Array[] = [
      Buffer.alloc(0),
      Buffer.of(1),
      // Without its subtype, with another one, twice.
      id,
      Buffer.concat([Buffer.of(2), id]),
      Buffer.concat([Buffer.of(1), value]),
      // Longer, shorter, in other letters.
      Buffer.concat([value, Buffer.of(0)]),
      value.subarray(0, -1),
      Buffer.from(Buffer.from(value).toString('latin1').toUpperCase(), 'latin1'),
    ]
    for (const field of other) await refused(closed, edge.privately({ type, value: field }))
    await refused(closed, edge.privately({ type: 0xe0, value }))
    await refused(closed, edge.privately({ type: 0xea, value: proxyFieldOf(gcp).value }))
    await refused(closed, edge.privately({ type: 0xeb, value }))
    await refused(closed, edge.privately())
  })

  test('goes by one field of a type: of two, by the last', async () => {
    expect(await call(closed, edge.privately(proxyFieldOf(otherAws), proxyFieldOf(aws)))).toMatchObject({
      grpcStatus: 0,
    })
    await refused(closed, edge.privately(proxyFieldOf(aws), proxyFieldOf(otherAws)))
    // Fields of other types are beside the point.
    const noise = { type: 0x04, value: Buffer.alloc(300) }
    expect(await call(closed, edge.privately(noise, proxyFieldOf(aws)))).toMatchObject({ grpcStatus: 0 })
  })

  test('refuses who sends no header, another version, or one that a client put behind the load balancer’s', async () => {
    const port = edge.privatePort
    const good = proxyHeader([proxyFieldOf(aws)])
    await refused(closed, { port })
    await refused(open, { port })
    await refused(closed, { port, before: Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n') })
    await refused(closed, { port, before: Buffer.concat([proxyHeader([proxyFieldOf(otherAws)]), good]) })
    await refused(closed, { port, before: Buffer.concat([good, good]) })
    await refused(closed, { port, before: Buffer.concat([Buffer.from('GET / HTTP/1.1\r\n\r\n'), good]) })
  })

  test('refuses headers that are cut off, or lie about their length', async () => {
    const port = edge.privatePort
    const good = proxyHeader([proxyFieldOf(aws)])
    const cutOff = [1, 12, 15, 16, 27, 28, 30, good.length - 1].map((length) => good.subarray(0, length))
    const lies = [0, 11, 12, 13, good.length - 17, good.length - 15, 0xffff].map((claimed) => {
      const lying = Buffer.from(good)
      lying.writeUInt16BE(claimed, 14)
      return lying
    })
    const longField = Buffer.from(good)
    longField.writeUInt16BE(0xffff, 29)
    await Promise.all([...cutOff, ...lies, longField].map((before) => refused(closed, { port, before })))
  })

  test('refuses a local command and addresses that are no network’s', async () => {
    for (const [offset, value] of [
      [12, 0x20],
      [12, 0x11],
      [12, 0x2f],
      [13, 0x31],
      [13, 0x00],
    ] as const) {
      const other = proxyHeader([proxyFieldOf(aws)])
      other.writeUInt8(value, offset)
      await refused(closed, { port: edge.privatePort, before: other })
    }
  })

  test('disconnects who says nothing', async () => {
    const socket = connect({ host: edge.address, port: edge.privatePort })
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('close', resolve))
  }, 15_000)

  test('has one certificate and one authority a connection, as the public one has', async () => {
    const other = await createCertificateAuthority({ commonName: 'Other', validityDays: 1 })
    await expect(edge.call(closed, { ...by(aws), identity: await clientIdentity(other) })).rejects.toThrow()
    expect(await call(closed, { ...by(aws), authority: neighbour.hostname })).toMatchObject({ grpcStatus: 7 })
  })
})

describe('a change of the rules', () => {
  test('opens and closes the listeners, and cuts the connections of this namespace alone', async () => {
    const held = edge.connect(closed, { identity: worker, ...by(gcp) })
    const others = [
      edge.connect(neighbour, { identity: worker, ...by(otherAws) }),
      edge.connect(both, { identity: worker }),
      edge.connect(both, { identity: worker, ...by(aws) }),
    ]
    for (const [connection, namespace] of [
      [held, closed],
      [others[0], neighbour],
      [others[1], both],
      [others[2], both],
    ] as const) {
      expect(await connection?.call({ authority: namespace.hostname })).toMatchObject({ grpcStatus: 0 })
    }
    const narrowed = { ...closed, reach: { isPublic: false, privateLinks: [aws] } }
    await edge.apply([open, narrowed, both, neighbour])
    await until('who came by the rule that is gone is cut', () => held.closed, cutWithinMs)
    await refused(narrowed, by(gcp))
    expect(await call(narrowed, by(aws))).toMatchObject({ grpcStatus: 0 })

    const toPublic = { ...closed, reach: { isPublic: true, privateLinks: [] } }
    await edge.apply([open, toPublic, both, neighbour])
    expect(await call(toPublic)).toMatchObject({ grpcStatus: 0 })
    await until(
      'it is gone from the private listener',
      () =>
        call(toPublic, by(aws)).then(
          () => false,
          () => true,
        ),
      cutWithinMs,
    )

    const publicly = edge.connect(toPublic, { identity: worker })
    expect(await publicly.call({ authority: toPublic.hostname })).toMatchObject({ grpcStatus: 0 })
    await edge.apply([open, closed, both, neighbour])
    await until('who came from the internet is cut', () => publicly.closed, cutWithinMs)
    await refused(closed, {})
    expect(await call(closed, by(gcp))).toMatchObject({ grpcStatus: 0 })

    for (const connection of others) expect(connection.closed).toBe(false)
    expect(await others[0]?.call({ authority: neighbour.hostname })).toMatchObject({ grpcStatus: 0 })
    expect(await others[1]?.call({ authority: both.hostname })).toMatchObject({ grpcStatus: 0 })
    expect(await others[2]?.call({ authority: both.hostname })).toMatchObject({ grpcStatus: 0 })
    for (const connection of others) connection.close()
  })

  test('that leaves no way serves nobody', async () => {
    const generation = 1_000
    const list = [open, closed, both, neighbour, nowhere].map((namespace) => ({ ...namespace, generation }))
    await edge.take(list)
    await edge.awaitGeneration(open, generation)
    await refused(nowhere, {})
    await refused(nowhere, by(aws))
    await refused(nowhere, edge.privately())
  })

  test('outlives a restart of Envoy', async () => {
    await edge.envoy.restart()
    await until('it serves again', () => call(closed, by(aws)).catch(() => undefined))
    await refused(closed, {})
    await refused(closed, by(otherAws))
  })
})
