import { mkdtempSync, readFileSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Product, startProduct } from '../harness/product.ts'
import { grpcCloudClient } from './cloud-client.ts'
import { type CellAccess, Installation } from './installation.ts'
import type { GrpcEndpoint } from './load/job.ts'
import type { LoadProcess } from './load/load-process.ts'
import type { Screen } from './screen.ts'
import { joinAsTenant, type Tenant, unlimited } from './tenant.ts'
import { lookAgainMs } from './workflow.ts'

/** What every bench works on: a running product with a tenant, a namespace and the cell that it is on. */
export interface Scene {
  product: Product
  readonly installation: Installation
  readonly tenant: Tenant
  readonly cell: CellAccess
  /** One that exists from the beginning, and all of these. */
  readonly namespaceId: string
  readonly namespaceIds: readonly string[]
  readonly load: LoadProcess
  readonly screen: Screen
  readonly quick: boolean
  /** A namespace's edge, reached with the API key or with the client certificate. */
  edge(namespaceId: string, credential: 'key' | 'certificate'): GrpcEndpoint
  /** Past the edge, with the same rights. */
  direct(namespaceId: string): Promise<GrpcEndpoint>
  /** Stops the product; the data stays. */
  close(): Promise<void>
}

export interface SceneOptions {
  readonly load: LoadProcess
  readonly screen: Screen
  readonly quick: boolean
}

const domain = 'aqueduct.localhost'
/** As many as it takes to keep a cell busy: one may have no more than 2,000 calls a second. */
const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']

export async function setScene({ load, screen, quick }: SceneOptions): Promise<Scene> {
  screen.line('Starting the product on a new data folder')
  const dataDirectory = join(realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-bench-'))), 'data')
  const product = await startProduct({ dataDirectory })
  const installation = new Installation(product.dataDirectory)
  try {
    const tenant = await joinAsTenant(product, unlimited)
    screen.line('Creating the first namespaces, and a cell with them')
    const namespaceIds = await createNamespaces(product, tenant)
    const [namespaceId] = namespaceIds
    if (namespaceId === undefined) throw new Error('there is no namespace')
    const cell = await installation.cell()
    const caPem = readFileSync(product.addresses.caFile, 'utf8')
    const scene: Scene = {
      product,
      installation,
      tenant,
      cell,
      namespaceId,
      namespaceIds,
      load,
      screen,
      quick,
      edge: (id, credential) => ({
        host: cell.address,
        port: cell.edgePort,
        tls: {
          serverName: `${id}.${domain}`,
          caPem,
          ...(credential === 'certificate' ? { identity: tenant.identity } : {}),
        },
        ...(credential === 'key' ? { token: tenant.token } : {}),
      }),
      direct: async (id) => ({ host: cell.address, port: cell.frontendPort, token: await cell.token(`${id}:write`) }),
      close: async () => {
        await installation.close()
        await scene.product.stop()
      },
    }
    return scene
  } catch (thrown) {
    await installation.close()
    await product.stop()
    throw thrown
  }
}

async function createNamespaces(product: Product, tenant: Tenant): Promise<readonly string[]> {
  const client = grpcCloudClient(product, tenant)
  try {
    const created = await Promise.all(names.map((name) => client.createNamespace(name)))
    for (const { operationId } of created) while (!(await client.isFulfilled(operationId))) await delay(lookAgainMs)
    return created.map(({ namespaceId }) => namespaceId)
  } finally {
    client.close()
  }
}
