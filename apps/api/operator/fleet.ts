import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { type CellSummary, getCellSummary, listCells } from '#libs/store/cells'
import { getNode, listNodes, type NodeRow } from '#libs/store/nodes'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, type ById, idParameter, integer, listOf, oneOf, request, route, string, time } from './schemas.ts'

const tag = 'Cells and nodes'
const states = oneOf('creating', 'ready', 'failed', 'deleting', 'deleted')
const conditions = { type: 'object', additionalProperties: true, description: 'By name: one truth each.' } as const
const cellSchema = answer({
  id: string,
  region: string,
  driver: string,
  state: states,
  serverVersion: string,
  namespaces: integer,
  namespaceLimit: integer,
  historyShards: integer,
  conditions,
  generation: integer,
  failures: { ...integer, description: 'Passes in a row that failed.' },
  createdAt: time,
  updatedAt: time,
})
const nodeSchema = answer(
  {
    id: string,
    cellId: string,
    driver: string,
    address: string,
    state: states,
    conditions,
    generation: integer,
    failures: { ...integer, description: 'Passes in a row that failed.' },
    createdAt: time,
    updatedAt: time,
  },
  ['address'],
)

/** Where namespaces run. Passwords, keys and what drivers note down for themselves stay inside. */
export function fleetRoutes(app: FastifyInstance, { database, pages }: OperatorContext): void {
  const params = idParameter

  app.get<{ Querystring: PageQuery }>(
    '/cells',
    { schema: route(tag, 'List cells', listOf('cells', cellSchema), { querystring: request(pageParameters) }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'cell', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'cells',
        { ...call.query },
        (after, limit) => listCells(database.all, proof, { after: after ?? '', limit }),
        (row) => row.id,
      )
      return { cells: items.map(cellOf), nextPageToken }
    },
  )

  app.get<ById>('/cells/:id', { schema: route(tag, 'Get a cell', cellSchema, { params }) }, async (call) =>
    cellOf(await getCellSummary(database.all, authorize(claimsOf(call), 'cell', 'read', { cellId: call.params.id }))),
  )

  app.get<{ Querystring: { readonly cellId?: string } }>(
    '/nodes',
    {
      schema: route(tag, 'List nodes', answer({ nodes: { type: 'array', items: nodeSchema } }), {
        querystring: request({ cellId: { ...string, maxLength: 128 } }),
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'node', 'list', { fleet: true })
      return { nodes: (await listNodes(database.all, proof, call.query.cellId)).map(nodeOf) }
    },
  )

  app.get<ById>('/nodes/:id', { schema: route(tag, 'Get a node', nodeSchema, { params }) }, async (call) =>
    nodeOf(await getNode(database.all, authorize(claimsOf(call), 'node', 'read', { nodeId: call.params.id }))),
  )
}

function cellOf(row: CellSummary) {
  return {
    id: row.id,
    region: row.region,
    driver: row.driver,
    state: row.state,
    serverVersion: row.server_version,
    namespaces: row.namespaces,
    namespaceLimit: row.namespace_limit,
    historyShards: row.history_shards,
    conditions: row.conditions,
    generation: row.generation,
    failures: row.failures,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}

function nodeOf(row: NodeRow) {
  return {
    id: row.id,
    cellId: row.cell_id,
    driver: row.driver,
    ...(row.address === null ? {} : { address: row.address }),
    state: row.state,
    conditions: row.conditions,
    generation: row.generation,
    failures: row.failures,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
