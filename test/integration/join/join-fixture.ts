import { randomInt } from 'node:crypto'
import { Client } from 'pg'
import { newId, systemClock } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import { joinToken, openAuthority } from '#libs/keyring'
import { newCertificateRequest } from '#libs/pki'
import { type Sealer, sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { StoredMailbox } from '../../../apps/provisioner/drivers/ec2/stored-mailbox.ts'
import { expectMachine, type JoinedNode, openJoin, signJoin } from '../../../apps/provisioner/reconcilers/nodes/join.ts'
import { testMasterKey } from '../../harness/master-key.ts'
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts'
import { until } from '../../harness/until.ts'
import { EdgeProcess } from './edge-process.ts'

export interface JoiningNode {
  readonly id: string
  readonly cell_id: string
  readonly machineId: string
  /** On the loopback device; of no other node. */
  readonly address: string
  readonly token: string
}

/** The port of stand-in processes. */
export const standInPort = 7_233

/** The control plane as far as joining goes: Postgres, the real `apps/edge`, and the provisioner's part of it. */
export class JoinFixture {
  readonly testDatabase: TestDatabase
  readonly admin: Client
  readonly edge: EdgeProcess
  readonly database: Database
  readonly sealer: Sealer = sealer(Buffer.from(testMasterKey))
  readonly mailbox: StoredMailbox
  /** What join listeners and discovery servers are verified with. */
  caPem = ''
  readonly #network = `127.${randomInt(20, 60)}.${randomInt(1, 255)}`
  #nodes = 0

  private constructor(testDatabase: TestDatabase, admin: Client, database: Database, edge: EdgeProcess) {
    this.testDatabase = testDatabase
    this.admin = admin
    this.database = database
    this.edge = edge
    this.mailbox = new StoredMailbox({ database, sealer: this.sealer })
  }

  static async start(): Promise<JoinFixture> {
    const testDatabase = await createTestDatabase()
    const admin = new Client({ connectionString: testDatabase.adminUrl })
    await admin.connect()
    const url = testDatabase.roleUrl('aqueduct_provisioner')
    const database = new Database({ url, poolSize: 2, applicationName: 'join' })
    const box = sealer(Buffer.from(testMasterKey))
    const { certificatePem } = await openAuthority(database.all, box, { purpose: 'server' })
    await openAuthority(database.all, box, { purpose: 'node' })
    const fixture = new JoinFixture(testDatabase, admin, database, await EdgeProcess.start(testDatabase))
    fixture.caPem = certificatePem
    for (const cell of ['cell-1', 'cell-2']) {
      await admin.query(
        `insert into cells (id, region, driver, state, namespace_limit, history_shards, server_version, database_name, database_password_sealed)
         values ($1, 'aws-us-east-1', 'ec2', 'ready', 10, 64, '1.32.2', $1, 'x')`,
        [cell],
      )
    }
    return fixture
  }

  get deps() {
    return { database: this.database, sealer: this.sealer, clock: systemClock }
  }

  /** A row alone. */
  async node(cellId = 'cell-1'): Promise<JoiningNode> {
    const id = newId('node')
    this.#nodes += 1
    const address = `${this.#network}.${this.#nodes}`
    await this.admin.query("insert into nodes (id, cell_id, driver, state) values ($1, $2, 'ec2', 'creating')", [
      id,
      cellId,
    ])
    return { id, cell_id: cellId, machineId: `i-${id.slice(5)}`, address, token: joinToken(this.sealer, id) }
  }

  /** What the reconciler does before a launch. @returns the machine's user data. */
  async open(node: JoiningNode): Promise<string> {
    const { joinUrl, discoveryUrl } = this.edge
    return await openJoin(this.deps, node, { joinUrls: [joinUrl], discoveryUrl })
  }

  /** What the reconciler does after it. */
  async see(node: JoiningNode, machine: { machineId?: string; address?: string } = {}): Promise<boolean> {
    const { machineId, address } = { ...node, ...machine }
    return await expectMachine(this.deps, node, { machineId, address })
  }

  /** A node that was launched, and whose machine the driver saw. */
  async launched(cellId?: string): Promise<JoiningNode> {
    const node = await this.node(cellId)
    await this.open(node)
    await this.see(node)
    return node
  }

  /** What the reconciler does when it was woken. */
  async sign(node: JoiningNode): Promise<JoinedNode> {
    const key = `reconcile-node:${node.id}`
    await until('the reconciler is woken', async () => {
      const { rowCount } = await this.admin.query('select from graphile_worker.jobs where key = $1', [key])
      return rowCount === 1
    })
    const joined = await signJoin(this.deps, node)
    if (joined === 'waiting') throw new Error('the reconciler was woken, and there is nothing to sign')
    return joined
  }

  async setState(node: JoiningNode, state: string): Promise<void> {
    await this.admin.query('update nodes set state = $2 where id = $1', [node.id, state])
  }

  async stop(): Promise<void> {
    await this.edge.stop()
    await this.database.close()
    await this.admin.end()
    await this.testDatabase.drop()
  }
}

/** A process that listens at the node's address, and restarts when its file changes. */
export function manifestOf(node: JoiningNode, generation: number, change: Partial<NodeManifest> = {}): NodeManifest {
  const serve = `require('node:net').createServer((s) => s.end()).listen(${standInPort}, '${node.address}')`
  return {
    nodeId: node.id,
    cellId: node.cell_id,
    generation,
    address: node.address,
    files: [{ path: 'config/secret.txt', content: `generation ${generation}`, secret: true }],
    processes: [
      {
        name: 'stand-in',
        command: process.execPath,
        args: ['-e', serve],
        env: {},
        restartOn: [],
        readyPort: standInPort,
        stopMs: 5_000,
      },
    ],
    ...change,
  }
}

/** A request for a certificate by a key of its own; what it says of itself is believed by nobody. */
export async function newRequest(commonName = 'a-machine'): Promise<{ readonly csr: string; readonly keyPem: string }> {
  const { csrPem, keyPem } = await newCertificateRequest(commonName)
  return { csr: csrPem, keyPem }
}
