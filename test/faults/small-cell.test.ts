import { readFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { Connection } from '@temporalio/client'
import { Client as PostgresClient } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { nodePorts } from '#libs/domain/nodes'
import { until } from '../harness/until.ts'
import { internodeIdentity } from '../integration/node/cell-under-test.ts'
import { EdgeDoor } from './edge-door.ts'
import { destroyNode, MostNodes, type NodeLine, nodesOf } from './nodes.ts'
import { ProductUnderFault } from './product-under-fault.ts'
import { type ClientCertificate, Tenant } from './tenant.ts'
import { Traffic } from './traffic.ts'
import { expectRowsToEqualWorld } from './world.ts'

const patienceMs = 90_000
/** Milliseconds for three nodes, one after the other: a minute on a machine that has nothing else to do. */
const rollMs = 170_000
const small = [{ id: 'aws-us-east-1', driver: 'local', cellSize: 'small' }]

let product: ProductUnderFault
let tenant: Tenant
let certificate: ClientCertificate
let door: EdgeDoor
let traffic: Traffic

beforeAll(async () => {
  product = await ProductUnderFault.start({ AQUEDUCT_REGIONS: JSON.stringify(small) })
  tenant = await Tenant.join(product, 'worker@example.com')
  certificate = await tenant.issueCertificate()
  const acceptedClientCa = Buffer.from(certificate.caCertificate).toString('base64')
  await tenant.fulfilled([await tenant.create('work', { mtlsAuth: { enabled: true, acceptedClientCa } })], patienceMs)
  door = await EdgeDoor.open(product)
  traffic = await Traffic.start({
    edge: door.address,
    namespaceId: tenant.namespaceId('work'),
    hostname: hostname(),
    certificate,
    serverCa: serverCa(),
  })
  await workGoesOn()
})

afterAll(async () => {
  await traffic?.close()
  await door?.close()
  await product?.stop()
})

beforeEach(() => {
  onTestFailed(() => product.keepData())
  traffic.failures.length = 0
})

function hostname(): string {
  return `${tenant.namespaceId('work')}.aqueduct.localhost`
}

function serverCa(): string {
  return readFileSync(product.addresses.caFile, 'utf8')
}

async function workGoesOn(): Promise<void> {
  const before = traffic.completed
  await until('workflows are completed again', () => traffic.completed >= before + 3, patienceMs)
}

/** Three nodes that are ready, and nothing else. */
async function whole(
  isWanted: (node: NodeLine) => boolean = () => true,
  timeoutMs = patienceMs,
): Promise<readonly NodeLine[]> {
  return until(
    'the cell has three nodes',
    async () => {
      const nodes = await nodesOf(product)
      return nodes.length === 3 && nodes.every((node) => node.state === 'ready' && isWanted(node)) ? nodes : undefined
    },
    timeoutMs,
  )
}

/** Addresses that were heard of in the last seconds, by service: what each node itself writes. */
async function members(cell: string): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
  const url = new URL(product.adminUrl)
  url.pathname = `/${cell.replaceAll('-', '_')}`
  const client = new PostgresClient({ connectionString: url.href })
  await client.connect()
  try {
    const { rows } = await client.query<{ role: number; address: string }>(
      "select role, rpc_address as address from cluster_membership where last_heartbeat > now() at time zone 'utc' - interval '15 seconds'",
    )
    const byRole = Map.groupBy(rows, ({ role }) => role)
    return new Map([...byRole].map(([role, hosts]) => [role, new Set(hosts.map(({ address }) => address))]))
  } finally {
    await client.end()
  }
}

test('three nodes on addresses of their own are one cluster', async () => {
  const nodes = await whole()
  expect(nodes.map(({ slot }) => slot).toSorted()).toEqual(['all-0', 'all-1', 'all-2'])
  const addresses = new Set(nodes.map(({ address }) => address))
  expect(addresses.size).toBe(3)
  await until('all services of all nodes know each other', async () => {
    const seen = await members(nodes[0]?.cell ?? '')
    // Frontend, history, matching, worker, internal-frontend.
    return [1, 2, 3, 4, 5].every((role) => (seen.get(role)?.size ?? 0) === 3)
  })
})

test('nobody but the nodes of the cell reaches what its services say among themselves', async () => {
  const own = await internodeOf((await whole())[0]?.id ?? '')
  const stranger = await internodeIdentity('cell-stranger')
  const { history, matching, internalFrontend, membershipOffset, frontend } = nodePorts
  const services = [history, matching, internalFrontend]
  const ports = [...services, ...[...services, frontend].map((port) => port + membershipOffset)]
  for (const { address } of await whole()) {
    for (const port of ports) {
      const at = `${address}:${port}`
      expect(await lets(address, port, own), `a node on ${at}`).toBe(true)
      expect(await lets(address, port, {}), `no certificate on ${at}`).toBe(false)
      const { certificate: cert, key } = stranger
      expect(await lets(address, port, { cert, ...(key === undefined ? {} : { key }) }), `a stranger on ${at}`).toBe(
        false,
      )
      expect(await letsPlain(address, port), `plain TCP on ${at}`).toBe(false)
    }
  }
})

async function internodeOf(nodeId: string): Promise<ConnectionOptions> {
  const file = (name: string) => readFileSync(join(product.data, 'nodes', nodeId, 'config/internode', name))
  return { cert: file('certificate.pem'), key: file('key.pem') }
}

/** Whether the connection is still there a moment after its handshake: TLS 1.3 refuses a client's certificate only then. */
function lets(host: string, port: number, identity: ConnectionOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...identity })
    const end = (outcome: boolean): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.once('secureConnect', () => socket.setTimeout(300, () => end(true)))
    for (const event of ['error', 'close', 'end'] as const) socket.once(event, () => end(false))
  })
}

function letsPlain(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectPlain({ host, port })
    let answer = Buffer.alloc(0)
    socket.once('connect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
    socket.on('data', (data: Buffer) => {
      answer = Buffer.concat([answer, data])
    })
    const end = (): void => {
      socket.destroy()
      // A TLS server may say that this was no TLS, as an alert (21), and nothing else.
      resolve(answer.length > 0 && answer[0] !== 21)
    }
    socket.setTimeout(1_000, end)
    for (const event of ['error', 'close'] as const) socket.once(event, end)
  })
}

test('one frontend is killed: calls through every edge go on', async () => {
  const nodes = await whole()
  const [victim] = nodes
  const agent = await product.program(victim?.id ?? '', 'agent')
  // Nobody starts it again meanwhile.
  product.signal(agent, 'SIGSTOP')
  const callers = await Promise.all(nodes.map(({ address }) => Caller.start(`${address}:${nodePorts.edge}`)))
  try {
    await until('every edge answers', () => callers.every((caller) => caller.answered > 10))
    const killed = performance.now()
    await product.kill(await product.program(victim?.id ?? '', 'temporal'))
    const before = callers.map((caller) => caller.answered)
    await until('every edge answers on', () =>
      callers.every((each, index) => each.answered > (before[index] ?? 0) + 60),
    )
    for (const caller of callers) {
      // What the dead one had taken is lost, and what was sent before its end was seen; nothing after that.
      expect(caller.failures.length, caller.failures.map(({ reason }) => reason).join('; ')).toBeLessThanOrEqual(2)
      expect(caller.failures.filter(({ at }) => at > killed + 1_000)).toEqual([])
    }
  } finally {
    await Promise.all(callers.map((caller) => caller.end()))
    product.signal(agent, 'SIGCONT')
  }
  await until('it is started again', async () => (await product.program(victim?.id ?? '', 'temporal')) !== undefined)
  expect((await whole()).map(({ id }) => id)).toEqual(nodes.map(({ id }) => id))
  await workGoesOn()
  expect(traffic.failures).toEqual([])
})

/**
 * Asks one edge all the time, and repeats nothing. It asks what a frontend answers by itself: the workflows of a history
 * service that was killed are back when the others have noticed, some seconds later.
 */
class Caller {
  readonly #connection: Connection
  readonly #ending = new AbortController()
  readonly #running: Promise<void>
  answered = 0
  readonly failures: { readonly at: number; readonly reason: string }[] = []

  static async start(address: string): Promise<Caller> {
    const clientCertPair = { crt: Buffer.from(certificate.certificate), key: Buffer.from(certificate.privateKey) }
    const tls = {
      serverNameOverride: hostname(),
      serverRootCACertificate: Buffer.from(serverCa()),
      clientCertPair,
    }
    return new Caller(await Connection.connect({ address, tls, interceptors: [] }))
  }

  private constructor(connection: Connection) {
    this.#connection = connection
    this.#running = this.#run()
  }

  async end(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await this.#connection.close()
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#connection.workflowService.describeNamespace({ namespace: tenant.namespaceId('work') })
        this.answered += 1
      } catch (thrown) {
        this.failures.push({ at: performance.now(), reason: String((thrown as Error).cause ?? thrown) })
      }
    }
  }
}

test('a machine is gone: another one takes its slot, and workflows go on', async () => {
  const before = await whole()
  const most = new MostNodes(product)
  const [dead] = before
  if (dead === undefined) throw new Error('no node')
  await destroyNode(product, dead.id)
  await workGoesOn()
  const after = await whole((node) => node.id !== dead.id)
  expect(most.end()).toBeLessThanOrEqual(4)
  expect(after.map(({ slot }) => slot).toSorted()).toEqual(before.map(({ slot }) => slot).toSorted())
  expect(after.filter(({ id }) => before.some((node) => node.id === id))).toHaveLength(2)
  await workGoesOn()
  expect(traffic.failures).toEqual([])
  await expectRowsToEqualWorld(product)
})

test('another template comes node by node, and workflows go on', async () => {
  const before = await whole()
  const most = new MostNodes(product)
  const admin = await product.admin()
  await admin.query(`update cells set node_template = node_template || '{"image": "second"}'`)
  await admin.end()
  const after = await whole((node) => node.image === 'second', rollMs)
  // One extra at a time.
  expect(most.end()).toBe(4)
  expect(after.some(({ id }) => before.some((node) => node.id === id))).toBe(false)
  await workGoesOn()
  expect(traffic.failures).toEqual([])
  await expectRowsToEqualWorld(product)
})

test('the workflow that ran through all of it comes to its end', async () => {
  expect(await traffic.end()).toBeGreaterThan(60)
})
