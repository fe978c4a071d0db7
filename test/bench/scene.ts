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
import { joinAsTenant, type Tenant } from './tenant.ts'
import { lookAgainMs } from './workflow.ts'

/** What every bench works on: a running product with a tenant, a namespace and the cell that it is on. */
export interface Scene {
  product: Product
  readonly installation: Installation
  readonly tenant: Tenant
  readonly cell: CellAccess
  /** One that exists from the beginning. */
  readonly namespaceId: string
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

export async function setScene({ load, screen, quick }: SceneOptions): Promise<Scene> {
  screen.line('Starting the product on a new data folder')
  const dataDirectory = join(realpathSync(mkdtempSync(join(tmpdir(), 'aqueduct-bench-'))), 'data')
  const product = await startProduct({ dataDirectory })
  const installation = new Installation(product.dataDirectory)
  try {
    const tenant = await joinAsTenant(product)
    screen.line('Creating a first namespace, and a cell with it')
    const client = grpcCloudClient(product, tenant)
    const { namespaceId, operationId } = await client.createNamespace('first')
    while (!(await client.isFulfilled(operationId))) await delay(lookAgainMs)
    client.close()
    const cell = await installation.cell()
    const caPem = readFileSync(product.addresses.caFile, 'utf8')
    const scene: Scene = {
      product,
      installation,
      tenant,
      cell,
      namespaceId,
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
