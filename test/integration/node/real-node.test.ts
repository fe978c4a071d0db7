import { readFile, stat } from 'node:fs/promises'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { credentials, Client as GrpcClient, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import proto from '@temporalio/proto'
import { Client as PostgresClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { newSigningKey } from '#libs/pki'
import { findByEnvironment, identify } from '#libs/processes'
import { GrpcCellClient } from '../../../apps/provisioner/temporal/grpc-cell-client.ts'
import { postgresAdminUrl } from '../../harness/postgres.ts'
import { type CellUnderTest, cellToken, internodeIdentity, prepareCell } from './cell-under-test.ts'

let cell: CellUnderTest
let client: GrpcCellClient

const ready = (generation = 1): Promise<void> =>
  vi.waitFor(
    async () => expect(await cell.driver.get(cell.nodeId)).toMatchObject({ state: 'ready', generation, detail: '' }),
    { timeout: 25_000, interval: 20 },
  )

const temporalPid = async (): Promise<number> => {
  const pidFile: unknown = JSON.parse(await readFile(join(cell.dir, 'run/temporal.pid'), 'utf8'))
  return (pidFile as { pid: number }).pid
}

beforeAll(async () => {
  cell = await prepareCell()
  const began = performance.now()
  await cell.driver.configure(cell.manifest(1))
  await ready()
  client = new GrpcCellClient({
    target: cell.frontend,
    token: () => cellToken(cell.signingKey, ['temporal-system:admin']),
  })
  await vi.waitFor(() => client.health(), { timeout: 20_000, interval: 20 })
  const rss = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${await temporalPid()}/status`, 'utf8'))?.[1]
  console.info(`node ready in ${Math.round(performance.now() - began)} ms, temporal-server ${Number(rss) >> 10} MiB`)
}, 60_000)

afterAll(async () => {
  client?.close()
  await cell?.dispose()
})

describe('a cell', () => {
  test('keeps namespaces', async () => {
    const name = 'payments.a1b2c'
    const data = { owner: 'a1b2c', generation: '1' }
    await client.registerNamespace({ name, retentionDays: 3, description: 'first', data })
    const seen = await client.describeNamespace(name)
    expect(seen).toMatchObject({ name, state: 'registered', retentionDays: 3, description: 'first', data })
    await expect(client.registerNamespace({ name, retentionDays: 3, description: '', data })).rejects.toMatchObject({
      kind: 'exists',
    })
    await client.updateNamespace(name, { retentionDays: 7, data: { generation: '2' } })
    expect(await client.describeNamespace(name)).toMatchObject({
      retentionDays: 7,
      description: 'first',
      data: { owner: 'a1b2c', generation: '2' },
    })
    expect((await client.listNamespaces()).map((namespace) => namespace.name)).toEqual([name])
    await client.updateNamespace(name, { aliases: { Keyword01: 'Customer', Int01: 'Amount' } })
    const { aliases } = await client.describeNamespace(name)
    expect(aliases).toEqual({ Keyword01: 'Customer', Int01: 'Amount' })
    await client.deleteNamespace(name)
    await vi.waitFor(() => expect(client.describeNamespace(name)).rejects.toMatchObject({ kind: 'not_found' }), {
      timeout: 10_000,
      interval: 100,
    })
    await expect(client.deleteNamespace(name)).rejects.toMatchObject({ kind: 'not_found' })
  })

  test('takes a hundred namespaces at once without a brake', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `many-${index}.a1b2c`)
    const began = performance.now()
    await Promise.all(
      names.map((name) => client.registerNamespace({ name, retentionDays: 1, description: '', data: {} })),
    )
    const tookMs = performance.now() - began
    console.info(`100 namespaces registered in ${Math.round(tookMs)} ms`)
    // At the server's default of 20 a second this takes 5 s or is refused.
    expect(tookMs).toBeLessThan(4_000)
  })

  test('refuses whoever has no token of its own', async () => {
    const foreign = await newSigningKey()
    const claimed = { ...foreign, kid: cell.signingKey.kid }
    const tokens = {
      'no token': undefined,
      "another cell's key": await cellToken(foreign, ['temporal-system:admin']),
      "another cell's key under this one's kid": await cellToken(claimed, ['temporal-system:admin']),
      expired: await cellToken(cell.signingKey, ['temporal-system:admin'], '-1m'),
      'another namespace': await cellToken(cell.signingKey, ['other.a1b2c:write']),
      'alg none': `${part({ alg: 'none', kid: cell.signingKey.kid })}.${part({ sub: 'x', permissions: ['temporal-system:admin'] })}.`,
    }
    for (const [what, token] of Object.entries(tokens)) {
      const code = await describeCode(cell.frontend, credentials.createInsecure(), token)
      expect([status.PERMISSION_DENIED, status.UNAUTHENTICATED], what).toContain(code)
    }
    const system = await cellToken(cell.signingKey, ['temporal-system:admin'])
    expect(await describeCode(cell.frontend, credentials.createInsecure(), system)).toBe(status.OK)
  })

  test('lets only its own nodes reach internal-frontend, history, matching and worker', async () => {
    const { internode } = cell
    const { ports } = cell.input
    for (const port of [ports.internalFrontend, ports.history, ports.matching, ports.worker]) {
      expect(await accepted(port, undefined), `plain on ${port}`).toBe(false)
      expect(await accepted(port, {}), `no certificate on ${port}`).toBe(false)
      expect(await accepted(port, await internodeIdentity('cell-stranger')), `another CA on ${port}`).toBe(false)
    }
    // The same question with the cell's own certificate is answered: the refusals above are about who asks.
    const own = credentials.createSsl(
      Buffer.from(internode.ca),
      Buffer.from(internode.key ?? ''),
      Buffer.from(internode.certificate),
    )
    expect(await describeCode(cell.internalFrontend, own, undefined, internode.serverName)).toBe(status.OK)
    const bare = credentials.createSsl(Buffer.from(internode.ca))
    expect(await describeCode(cell.internalFrontend, bare, undefined, internode.serverName)).toBe(status.UNAVAILABLE)
  })

  test("is closed to another cell's database role", async () => {
    const url = new URL(postgresAdminUrl())
    url.username = cell.input.database.user
    url.password = cell.input.database.password
    const enter = async (database: string): Promise<void> => {
      url.pathname = `/${database}`
      const intruder = new PostgresClient({ connectionString: url.href })
      await intruder.connect()
      await intruder.end()
    }
    await enter(cell.input.database.name)
    const other = await prepareCell()
    try {
      await expect(enter(other.input.database.name)).rejects.toMatchObject({ code: '42501' })
      await expect(enter(other.input.database.visibilityName)).rejects.toMatchObject({ code: '42501' })
    } finally {
      await other.dispose()
    }
  })
})

describe('a node', () => {
  test('keeps its secrets to its owner', async () => {
    for (const path of ['manifest.json', 'config/temporal.json', 'config/internode/key.pem']) {
      expect((await stat(join(cell.dir, path))).mode & 0o077, path).toBe(0)
    }
  })

  test('starts a killed temporal-server again', async () => {
    const pid = await temporalPid()
    const began = performance.now()
    process.kill(pid, 'SIGKILL')
    await vi.waitFor(async () => expect(await temporalPid()).not.toBe(pid), { timeout: 10_000, interval: 10 })
    await ready()
    await vi.waitFor(() => client.health(), { timeout: 20_000, interval: 20 })
    console.info(`killed temporal-server serves again after ${Math.round(performance.now() - began)} ms`)
  })

  test('survives its agent, which is adopted by the next one', async () => {
    const pid = await temporalPid()
    const agent: unknown = JSON.parse(await readFile(join(cell.dir, 'run/agent.pid'), 'utf8'))
    process.kill((agent as { pid: number }).pid, 'SIGKILL')
    const orphaned = { state: 'stopped', generation: -1 }
    await vi.waitFor(async () => expect(await cell.driver.get(cell.nodeId)).toMatchObject(orphaned), { interval: 10 })
    await client.health()
    await cell.driver.configure(cell.manifest(1))
    await ready()
    expect(await temporalPid()).toBe(pid)
    expect(identify(pid)).toBeDefined()
  })

  test('takes up limits without a restart', async () => {
    const pid = await temporalPid()
    const limited = { ...cell.manifest(2) }
    const files = limited.files.map((file) =>
      file.path === 'config/dynamic.json' ? { ...file, content: '{"frontend.rps": [{"value": 20000}]}' } : file,
    )
    await cell.driver.configure({ ...limited, files })
    await ready(2)
    expect(await readFile(join(cell.dir, 'config/dynamic.json'), 'utf8')).toContain(
      '"frontend.rps": [{"value": 20000}]',
    )
    expect(await temporalPid()).toBe(pid)
  })

  test('uses few database connections', async () => {
    const admin = new PostgresClient({ connectionString: postgresAdminUrl() })
    await admin.connect()
    const { rows } = await admin.query<{ count: string }>('SELECT count(*) FROM pg_stat_activity WHERE usename = $1', [
      cell.input.database.user,
    ])
    await admin.end()
    console.info(`${rows[0]?.count} database connections`)
    expect(Number(rows[0]?.count)).toBeLessThanOrEqual(55)
  })

  test('is gone when deleted', async () => {
    const began = performance.now()
    await cell.driver.delete(cell.nodeId)
    console.info(`deleted in ${Math.round(performance.now() - began)} ms`)
    expect(findByEnvironment(`AQUEDUCT_NODE_DIR=${cell.dir}`)).toEqual([])
    expect(findByEnvironment(`AQUEDUCT_AGENT_DIR=${cell.dir}`)).toEqual([])
    await expect(stat(cell.dir)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await cell.driver.list()).toEqual([])
  })
})

/** The gRPC status of DescribeNamespace on the cell's own system namespace. */
function describeCode(
  target: string,
  channel: ReturnType<typeof credentials.createInsecure>,
  token: string | undefined,
  serverName?: string,
): Promise<number> {
  const { DescribeNamespaceRequest } = proto.temporal.api.workflowservice.v1
  const options = serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }
  const grpc = new GrpcClient(target, channel, { ...options, 'grpc.use_local_subchannel_pool': 1 })
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  const request = Buffer.from(DescribeNamespaceRequest.encode({ namespace: 'temporal-system' }).finish())
  const path = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace'
  return new Promise((resolve) => {
    const deadline = Date.now() + 5_000
    const same = (bytes: Buffer): Buffer => bytes
    grpc.makeUnaryRequest(path, same, same, request, metadata, { deadline }, (error: ServiceError | null) => {
      grpc.close()
      resolve(error?.code ?? status.OK)
    })
  })
}

/** Whether the server keeps a connection open that speaks HTTP/2 to it; TLS 1.3 refuses a client only after it thinks it is in. */
function accepted(port: number, identity: Partial<NodeIdentity> | undefined): Promise<boolean> {
  const { address } = cell.input
  const preface = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
  ])
  return new Promise((resolve) => {
    const socket =
      identity === undefined
        ? connectPlain({ host: address, port })
        : connectTls({
            host: address,
            port,
            servername: cell.internode.serverName,
            ca: cell.internode.ca,
            ALPNProtocols: ['h2'],
            ...(identity.certificate === undefined ? {} : { cert: identity.certificate }),
            ...(identity.key === undefined ? {} : { key: identity.key }),
          })
    socket.setTimeout(5_000, () => socket.destroy(new Error('silence')))
    socket.once(identity === undefined ? 'connect' : 'secureConnect', () => socket.write(preface))
    socket.once('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

type NodeIdentity = CellUnderTest['internode']

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
