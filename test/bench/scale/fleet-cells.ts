import type { Client } from 'pg'
import { nexusEndpointUrl } from '#libs/domain/edges'
import { ownerKey } from '../../../apps/provisioner/reconcilers/namespaces/execute.ts'
import type { CellClient, CellNamespace, CellNexusEndpoint } from '../../../apps/provisioner/temporal/cell-client.ts'
import type { CellClientSource } from '../../../apps/provisioner/temporal/cell-clients.ts'

/**
 * Cells that are as the rows say. What a cell answers is made up at each call: the memory that is measured is to be the
 * provisioner's, not the fakes'.
 */
export class FleetCells implements CellClientSource {
  readonly #namespaces: ReadonlyMap<string, readonly string[]>

  private constructor(namespaces: ReadonlyMap<string, readonly string[]>) {
    this.#namespaces = namespaces
  }

  static async of(client: Client): Promise<FleetCells> {
    const { rows } = await client.query<{ cell_id: string; ids: readonly string[] }>(
      'select cell_id, array_agg(id order by id) as ids from namespaces group by cell_id',
    )
    return new FleetCells(new Map(rows.map(({ cell_id, ids }) => [cell_id, ids])))
  }

  async of(cellId: string): Promise<CellClient> {
    return this.at(cellId)
  }

  at(cellId: string): CellClient {
    const unasked = () => Promise.reject(new Error('a fleet at rest is asked for nothing else'))
    return {
      health: async () => undefined,
      listNamespaces: async () => (this.#namespaces.get(cellId) ?? []).map(asListed),
      listNexusEndpoints: async () => [endpointOf(cellId)],
      registerNamespace: unasked,
      describeNamespace: unasked,
      updateNamespace: unasked,
      deleteNamespace: unasked,
      registerNexusEndpoint: unasked,
      deleteNexusEndpoint: unasked,
      close: () => undefined,
    } as unknown as CellClient
  }

  keepOnly(): void {
    // Nothing is open.
  }

  close(): void {
    // Nothing is open.
  }
}

function asListed(name: string): CellNamespace {
  const owner = name.slice(name.indexOf('.') + 1)
  return {
    id: name,
    name,
    state: 'registered',
    retentionDays: 3,
    description: '',
    data: { [ownerKey]: owner },
    aliases: {},
  }
}

function endpointOf(cellId: string): CellNexusEndpoint {
  const name = `endpoint-${cellId}`
  return { id: name, version: 1, name, url: nexusEndpointUrl(name) }
}
