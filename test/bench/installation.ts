import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { systemActor } from '#libs/authz'
import { nodePorts } from '#libs/domain/nodes'
import { openSigningKey, type TokenSigner, tokenSigner } from '#libs/keyring'
import { readMasterKey, sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { listNodes } from '#libs/store/nodes'

/** How to get at a cell past everything of ours. */
export interface CellAccess {
  readonly address: string
  /** The edge's port and the frontend's, both at `address`. */
  readonly edgePort: number
  readonly frontendPort: number
  /** A token of the cell, as the provisioner (`temporal-system:admin`) or an edge (`<namespace>:write`) shows it. */
  token(permission: string): Promise<string>
}

const system = systemActor('bench')
const tokenLifetimeMs = 12 * 3_600_000

/** What only the owner of a data folder can do: the floors go straight to the parts that ours stand before. */
export class Installation {
  readonly #dataDirectory: string
  readonly #database: Database

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory
    this.#database = new Database({ url: this.adminUrl, poolSize: 2, applicationName: 'aqueduct-bench' })
  }

  /** Connects the superuser to the product's database. Carries the password. */
  get adminUrl(): string {
    const { port, password } = JSON.parse(readFileSync(join(this.#dataDirectory, 'postgres.json'), 'utf8')) as {
      readonly port: number
      readonly password: string
    }
    return `postgres://aqueduct:${encodeURIComponent(password)}@127.0.0.1:${port}/aqueduct`
  }

  /** The one cell of this installation. @throws Error when there is none that is up. */
  async cell(): Promise<CellAccess> {
    const nodes = await listNodes(this.#database.all, system.authorize('node', 'list', { fleet: true }), undefined)
    const node = nodes.find(({ state, address }) => state === 'ready' && address !== null)
    if (node === undefined || node.address === null) throw new Error('no cell is up')
    const box = sealer(readMasterKey(readFileSync(join(this.#dataDirectory, 'master.key'), 'utf8')))
    const key = await openSigningKey(this.#database.all, box, { purpose: 'cell', cellId: node.cell_id })
    const sign: TokenSigner = await tokenSigner(key)
    return {
      address: node.address,
      edgePort: nodePorts.edge,
      frontendPort: nodePorts.frontend,
      token: (permission) =>
        sign({ sub: 'bench', permissions: [permission] }, { notAfter: new Date(Date.now() + tokenLifetimeMs) }),
    }
  }

  async serverVersion(): Promise<string> {
    const client = new Client({ connectionString: this.adminUrl })
    await client.connect()
    try {
      const { rows } = await client.query<{ server_version: string }>('show server_version')
      return rows[0]?.server_version ?? 'unknown'
    } finally {
      await client.end()
    }
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}
