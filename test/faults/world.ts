import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { edgeFiles } from '#libs/domain/edges'
import { findByEnvironment } from '#libs/processes'
import { configuredMasterKey, sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { cellDatabase } from '../../apps/provisioner/cells/databases.ts'
import { CellClients } from '../../apps/provisioner/temporal/cell-clients.ts'
import type { ProductUnderFault } from './product-under-fault.ts'

/** What there is to be, as rows say, or what there is. Sorted lists, so that two of them can be compared. */
interface Inventory {
  /** `<cell> <namespace> <retention days>` */
  readonly namespaces: readonly string[]
  /** `<node> <namespace>`: what the edge of the node serves. */
  readonly served: readonly string[]
  readonly nodes: readonly string[]
  readonly databases: readonly string[]
}

/** No namespace, node, database or edge chain is missing, none is there twice, none belongs to nobody. */
export async function expectRowsToEqualWorld(product: ProductUnderFault): Promise<void> {
  const database = new Database({ url: product.adminUrl, poolSize: 4, applicationName: 'fault-tests' })
  try {
    await expect.poll(() => world(product, database), { timeout: 10_000 }).toEqual(await rows(product, database))
  } finally {
    await database.close()
  }
}

async function rows(product: ProductUnderFault, database: Database): Promise<Inventory> {
  const lines = async (select: string) =>
    (await database.pool.query<{ line: string }>(select)).rows.map(({ line }) => line).toSorted()
  const cells = await lines("select id as line from cells where state <> 'deleted'")
  return {
    namespaces: await lines(
      `select concat_ws(' ', cell_id, id, spec->>'retentionDays') as line from namespaces where state <> 'deleted'`,
    ),
    served: await lines(
      `select concat_ws(' ', nodes.id, namespaces.id) as line from namespaces join nodes using (cell_id)
       where namespaces.state <> 'deleted' and nodes.state <> 'deleted'`,
    ),
    nodes: await lines("select id as line from nodes where state <> 'deleted'"),
    databases: cells
      .flatMap((id) => {
        const { name, visibilityName } = cellDatabase(product.adminUrl, id, '')
        return [name, visibilityName]
      })
      .toSorted(),
  }
}

/** Asks the cells themselves, the folders of nodes, the process table and the database server. */
async function world(product: ProductUnderFault, database: Database): Promise<Inventory> {
  const nodes = nodesOf(product.data)
  const { rows: databases } = await database.pool.query<{ datname: string }>(
    "select datname from pg_database where not datistemplate and datname not in ('postgres', 'aqueduct')",
  )
  return {
    namespaces: await namespacesOnCells(product, database),
    served: nodes.flatMap((node) => servedBy(product.data, node)).toSorted(),
    nodes,
    databases: databases.map(({ datname }) => datname).toSorted(),
  }
}

async function namespacesOnCells(product: ProductUnderFault, database: Database): Promise<readonly string[]> {
  const masterKey = configuredMasterKey({ value: '', file: join(product.data, 'master.key') })
  const clients = new CellClients({ database, sealer: sealer(masterKey) })
  try {
    const { rows: cells } = await database.pool.query<{ id: string }>('select id from cells')
    const lists = cells.map(async ({ id }) => {
      const listed = await (await clients.of(id)).listNamespaces()
      return listed.map(({ name, retentionDays }) => `${id} ${name} ${retentionDays}`)
    })
    return (await Promise.all(lists)).flat().toSorted()
  } finally {
    clients.close()
  }
}

/** A folder with two agents, or none, is no node, and one whose programs run twice, or not, neither. */
function nodesOf(data: string): readonly string[] {
  const directory = join(data, 'nodes')
  const folders = readdirSync(directory).filter((name) => existsSync(join(directory, name, 'node.json')))
  return folders
    .map((name) => {
      const agents = findByEnvironment(`AQUEDUCT_AGENT_DIR=${join(directory, name)}`).length
      const programs = findByEnvironment(`AQUEDUCT_NODE_DIR=${join(directory, name)}`).length
      return agents === 1 && programs === 2 ? name : `${name} with ${agents} agents and ${programs} programs`
    })
    .toSorted()
}

function servedBy(data: string, node: string): readonly string[] {
  const listeners = readFileSync(join(data, 'nodes', node, edgeFiles.listeners), 'utf8')
  const names = [...listeners.matchAll(/"([a-z0-9-]+\.[a-z0-9]+)\.aqueduct\.localhost"/g)].map(([, id]) => id)
  return [...new Set(names)].map((id) => `${node} ${id}`)
}
