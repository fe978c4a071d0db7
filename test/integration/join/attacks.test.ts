import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { joinMinutes, signJoin } from '../../../apps/provisioner/reconcilers/nodes/join.ts'
import { until } from '../../harness/until.ts'
import { call } from './https-call.ts'
import { attemptToJoin, joinBy } from './join-by.ts'
import { JoinFixture, type JoiningNode, manifestOf, newRequest } from './join-fixture.ts'

let fixture: JoinFixture

beforeAll(async () => {
  fixture = await JoinFixture.start()
})
afterAll(async () => {
  await fixture.stop()
})

async function nobodyJoined(node: JoiningNode): Promise<void> {
  const { rows } = await fixture.admin.query('select public_key from node_joins where node_id = $1', [node.id])
  expect(rows.map(({ public_key }) => public_key).filter((key) => key !== null)).toEqual([])
}

async function refusals(reason: string): Promise<number> {
  const line = new RegExp(`^aqueduct_edge_joins_total\\{[^}]*result="${reason}"[^}]*\\} (\\d+)$`, 'm')
  return Number(line.exec(await fixture.edge.metrics())?.[1] ?? 0)
}

/** What every refusal looks like, whatever was wrong. */
const refused = { status: 403, text: '{"message":"refused: the log of apps/edge says why"}' }

describe('a machine that is not the one that was launched', () => {
  test.each([
    [
      'the token of another node',
      'wrong_token',
      async (_node: JoiningNode) => ({ token: (await fixture.launched()).token }),
    ],
    ['a token that nobody gave', 'wrong_token', async () => ({ token: '0'.repeat(64) })],
    ['another machine’s id', 'other_machine', async () => ({ machineId: (await fixture.launched()).machineId })],
    ['another address', 'other_address', async () => ({ from: (await fixture.launched()).address })],
    [
      'another address that a header says is the right one',
      'other_address',
      async (node: JoiningNode) => ({
        from: (await fixture.launched()).address,
        headers: { 'x-forwarded-for': node.address, forwarded: `for=${node.address}`, 'x-real-ip': node.address },
      }),
    ],
    ['the token of a node that there never was', 'wrong_token', async () => ({ nodeId: 'node-never' })],
  ])('is refused with %s', async (_, reason, attempt) => {
    const node = await fixture.launched()
    const before = await refusals(reason)
    const answer = await attemptToJoin(fixture, node, await attempt(node))
    expect(answer).toMatchObject(refused)
    expect(await refusals(reason)).toBe(before + 1)
    await until('the operator is told', () => fixture.edge.log.includes(`"reason":"${reason}"`))
    await nobodyJoined(node)
    // The right one is still let in.
    await joinBy(fixture, node)
  })

  test('is refused before the driver has seen which machine it is', async () => {
    const node = await fixture.node()
    await fixture.open(node)
    expect(await attemptToJoin(fixture, node)).toMatchObject(refused)
    await nobodyJoined(node)
  })

  test('is refused when the launch is too long ago, and looking at it gives it no more time', async () => {
    const node = await fixture.launched()
    await fixture.admin.query("update node_joins set expires_at = now() - interval '1 second' where node_id = $1", [
      node.id,
    ])
    await fixture.see(node)
    await fixture.open(node)
    expect(await attemptToJoin(fixture, node)).toMatchObject(refused)
    await nobodyJoined(node)
    expect(joinMinutes).toBeLessThanOrEqual(60)
  })
})

describe('who comes after the node has joined', () => {
  test('gets nothing for another key, from the very machine', async () => {
    const node = await fixture.launched()
    await joinBy(fixture, node)
    expect(await attemptToJoin(fixture, node)).toMatchObject(refused)
  })

  test('of two that come at once, one key is the node’s', async () => {
    const node = await fixture.launched()
    const requests = await Promise.all([newRequest(), newRequest()])
    const answers = await Promise.all(requests.map(({ csr }) => attemptToJoin(fixture, node, { csr })))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 403])
  })

  test('with the same key is answered again, also when the time is over: an answer may be lost', async () => {
    const node = await fixture.launched()
    const { csr, certificate } = await joinBy(fixture, node)
    await fixture.admin.query("update node_joins set expires_at = now() - interval '1 day' where node_id = $1", [
      node.id,
    ])
    const again = await attemptToJoin(fixture, node, { csr })
    expect(again.status).toBe(200)
    expect(JSON.parse(again.text)).toEqual({
      certificateChainPem: certificate,
      discoveryUrl: fixture.edge.discoveryUrl,
    })
    // And never anywhere else.
    const elsewhere = await fixture.launched()
    expect(await attemptToJoin(fixture, node, { csr, from: elsewhere.address })).toMatchObject(refused)
    expect(await attemptToJoin(fixture, node, { csr, machineId: elsewhere.machineId })).toMatchObject(refused)
  })

  test('the driver sees another machine: it will never be the node', async () => {
    const node = await fixture.launched()
    await joinBy(fixture, node)
    expect(await fixture.see(node, { machineId: 'i-another' })).toBe(false)
    expect(await attemptToJoin(fixture, node, { machineId: 'i-another' })).toMatchObject(refused)
  })

  test.each(['draining', 'deleting', 'deleted'])('gets nothing once the node is %s', async (state) => {
    const node = await fixture.launched()
    const { csr } = await joinBy(fixture, node)
    await fixture.setState(node, state)
    expect(await attemptToJoin(fixture, node, { csr })).toMatchObject(refused)
    // Nor does a launch that comes late open it again.
    await fixture.mailbox.forget(node.id)
    await fixture.open(node)
    await fixture.see(node)
    expect(await attemptToJoin(fixture, node, { csr })).toMatchObject(refused)
    const { rowCount } = await fixture.admin.query('select from node_joins where node_id = $1', [node.id])
    expect(rowCount).toBe(0)
  })

  test('nothing is left of a node that is forgotten', async () => {
    const node = await fixture.launched()
    const { csr } = await joinBy(fixture, node)
    await fixture.mailbox.put(manifestOf(node, 1))
    await fixture.mailbox.forget(node.id)
    await fixture.mailbox.forget(node.id)
    expect(await attemptToJoin(fixture, node, { csr })).toMatchObject(refused)
    for (const table of ['node_joins', 'node_manifests', 'node_reports']) {
      expect((await fixture.admin.query(`select from ${table} where node_id = $1`, [node.id])).rowCount).toBe(0)
    }
  })
})

describe('what is asked for', () => {
  const openssl = (...args: string[]): string => {
    const { stdout, stderr, status } = spawnSync('openssl', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return stdout
  }

  test('a request for the names of others yields a certificate with our names alone', async () => {
    const node = await fixture.launched()
    const names = 'subjectAltName=DNS:cell-2.internode.aqueduct.internal,URI:aqueduct://cells/cell-2/nodes/node-other'
    const csr = openssl(
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'],
      ...[
        '-subj',
        '/O=Aqueduct/CN=aqueduct node root CA',
        '-addext',
        names,
        '-addext',
        'basicConstraints=critical,CA:TRUE',
      ],
    )
    expect((await attemptToJoin(fixture, node, { csr })).status).toBe(202)
    const { leafPem } = await fixture.sign(node)
    const leaf = new X509Certificate(leafPem)
    expect(leaf.subject).toBe(`CN=${node.id}`)
    const sans = (leaf.subjectAltName ?? '').split(', ')
    expect(sans.filter((name) => name.startsWith('URI:'))).toEqual([`URI:aqueduct://cells/cell-1/nodes/${node.id}`])
    expect(leaf.subjectAltName).not.toContain('cell-2')
    expect(leaf.ca).toBe(false)
    expect(new Date(leaf.validTo).getTime() - Date.now()).toBeLessThan(91 * 86_400_000)
  })

  test.each([
    ['a weak RSA key', ['-newkey', 'rsa:1024']],
    ['a curve that we do not sign', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1']],
  ])('a request with %s is refused, at the door and by who signs', async (_, key) => {
    const node = await fixture.launched()
    const csr = openssl('req', '-new', ...key, '-nodes', '-keyout', '/dev/null', '-subj', '/CN=x')
    expect(await attemptToJoin(fixture, node, { csr })).toMatchObject(refused)
    await nobodyJoined(node)
    await fixture.admin.query(
      'update node_joins set csr_pem = $2, public_key = $3, joined_at = now() where node_id = $1',
      [node.id, csr, 'x'],
    )
    await expect(signJoin(fixture.deps, node)).rejects.toMatchObject({ code: 'invalid' })
  })

  test('a request that is not signed by its own key is refused', async () => {
    const node = await fixture.launched()
    const [one, other] = [await newRequest(), await newRequest()]
    const lines = one.csr.split('\n')
    const der = Buffer.from(lines.slice(1, -2).join(''), 'base64')
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1)
    const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    expect(await attemptToJoin(fixture, node, { csr })).toMatchObject(refused)
    expect(await attemptToJoin(fixture, node, { csr: `${one.csr}${other.csr}` })).toMatchObject(refused)
    expect(await attemptToJoin(fixture, node, { csr: other.keyPem })).toMatchObject(refused)
    await nobodyJoined(node)
  })

  test.each([
    ['nothing', '{}'],
    ['no JSON', 'token'],
    ['a token that is no text', { token: ['0'.repeat(64)], machineId: 'i-1', csr: 'x' }],
    ['a body without end', 'x'.repeat(1_000_000)],
  ])('a body of %s is refused as everything is', async (_, body) => {
    const node = await fixture.launched()
    const answer = await attemptToJoin(fixture, node, { body }).catch((error: Error) => error.message)
    // Whoever sends without end may find the connection closed before the answer is read.
    if (typeof answer === 'string') expect(answer).toMatch(/EPIPE|ECONNRESET|hang up/)
    else expect(answer).toMatchObject(refused)
    await nobodyJoined(node)
  })

  test('a body with more than belongs there is refused, though all the rest is right', async () => {
    const node = await fixture.launched()
    const { token, machineId } = node
    const { csr } = await newRequest()
    const body = { token, machineId, csr, address: node.address }
    expect(await attemptToJoin(fixture, node, { body })).toMatchObject(refused)
    await nobodyJoined(node)
  })

  test('there is nothing else behind the door', async () => {
    const { address } = await fixture.launched()
    for (const path of ['/', '/v1/nodes', '/v1/cells/cell-1/edge', '/v1/nodes/node-1/manifest', '/metrics']) {
      expect(await call(fixture.edge.joinUrl + path, { ca: fixture.caPem, from: address })).toMatchObject(refused)
    }
  })

  test('nobody can make the log say something', async () => {
    const { address } = await fixture.launched()
    const path = `/v1/nodes/${encodeURIComponent('x"}\n{"level":60,"msg":"forged')}/join`
    await call(fixture.edge.joinUrl + path, { ca: fixture.caPem, from: address, body: {} })
    expect(fixture.edge.log).not.toContain('forged')
  })
})

describe('a flood', () => {
  test('of attempts from one address hinders no other node', async () => {
    const [noisy, quiet] = [await fixture.launched(), await fixture.launched()]
    const floods = await Promise.all(
      Array.from({ length: 200 }, () =>
        attemptToJoin(fixture, noisy, { token: '0'.repeat(64), csr: 'x' }).then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    )
    // Closed at once, or told to come later; a few were looked at.
    expect(floods.filter((status) => status === 403).length).toBeLessThan(20)
    const began = performance.now()
    await joinBy(fixture, quiet)
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(await refusals('too_many')).toBeGreaterThan(100)
  })

  test('of open connections from one address hinders no other node', async () => {
    const [noisy, quiet] = [await fixture.launched(), await fixture.launched()]
    const { hostname, port } = new URL(fixture.edge.joinUrl)
    const sockets = Array.from({ length: 100 }, () =>
      connect({ host: hostname, port: Number(port), localAddress: noisy.address }),
    )
    for (const socket of sockets) socket.on('error', () => undefined)
    // At once, and not when they took too long for a handshake.
    const isClosed = (socket: (typeof sockets)[number]) => socket.destroyed || socket.readableEnded
    await until('most are closed', () => sockets.filter(isClosed).length >= 80, 5_000)
    await joinBy(fixture, quiet)
    for (const socket of sockets) socket.destroy()
  })
})
