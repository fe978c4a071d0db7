import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { type CellSummary, getCellSummary, listCells } from '#libs/store/cells'
import { getNode, listNodes, type NodeRow } from '#libs/store/nodes'
import { claimsOf } from './authenticate-operators.ts'
import { shownTemplate, templateSchema } from './node-template.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import {
  answer,
  type ById,
  boolean,
  idParameter,
  integer,
  listOf,
  oneOf,
  request,
  route,
  string,
  time,
} from './schemas.ts'

const tag = 'Cells and nodes'
const states = oneOf('creating', 'ready', 'failed', 'deleting', 'deleted')
const nodeStates = oneOf('creating', 'ready', 'failed', 'draining', 'deleting', 'deleted')
const conditions = { type: 'object', additionalProperties: true, description: 'By name: one truth each.' } as const
const cellProperties = {
  id: string,
  region: string,
  driver: string,
  state: states,
  draining: { ...boolean, description: 'It gets no new namespaces.' },
  size: string,
  serverVersion: string,
  template: { ...templateSchema, description: 'What its nodes are to be made from; others are replaced.' },
  namespaces: integer,
  namespaceLimit: integer,
  historyShards: integer,
  conditions,
  generation: integer,
  failures: { ...integer, description: 'Passes in a row that failed.' },
  createdAt: time,
  updatedAt: time,
} as const
export const cellSchema = answer(cellProperties)
export const nodeSchema = answer(
  {
    id: string,
    cellId: string,
    driver: string,
    role: string,
    slot: { ...string, description: 'The place in the cell that it fills: nodes come and go, the slot stays.' },
    address: string,
    publicAddress: { ...string, description: 'Where tenants reach an edge.' },
    machineId: string,
    zone: string,
    instanceType: string,
    template: templateSchema,
    retireReason: { ...string, description: 'Why it is replaced though it works.' },
    retireBy: time,
    drainingSince: time,
    state: nodeStates,
    conditions,
    generation: integer,
    failures: { ...integer, description: 'Passes in a row that failed.' },
    createdAt: time,
    updatedAt: time,
  },
  ['address', 'publicAddress', 'machineId', 'zone', 'instanceType', 'retireReason', 'retireBy', 'drainingSince'],
)
const cellWithNodes = answer({ ...cellProperties, nodes: { type: 'array', items: nodeSchema } })

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

  app.get<ById>(
    '/cells/:id',
    { schema: route(tag, 'Get a cell with its nodes', cellWithNodes, { params }) },
    async (call) => {
      const claims = claimsOf(call)
      const row = await getCellSummary(database.all, authorize(claims, 'cell', 'read', { cellId: call.params.id }))
      const nodes = await listNodes(database.all, authorize(claims, 'node', 'list', { fleet: true }), row.id)
      return { ...cellOf(row), nodes: nodes.map(nodeOf) }
    },
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

/** As `cellSchema` says. */
export function cellOf(row: CellSummary) {
  return {
    id: row.id,
    region: row.region,
    driver: row.driver,
    state: row.state,
    draining: row.draining,
    size: row.size,
    serverVersion: row.server_version,
    template: shownTemplate(row.node_template),
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

/** As `nodeSchema` says. */
export function nodeOf(row: NodeRow) {
  return {
    id: row.id,
    cellId: row.cell_id,
    driver: row.driver,
    role: row.role,
    slot: row.slot,
    ...(row.address === null ? {} : { address: row.address }),
    ...(row.public_address === null ? {} : { publicAddress: row.public_address }),
    ...(row.machine_id === null ? {} : { machineId: row.machine_id }),
    ...(row.machine_zone === null ? {} : { zone: row.machine_zone }),
    ...(row.instance_type === null ? {} : { instanceType: row.instance_type }),
    template: shownTemplate(row.template),
    ...(row.retire_reason === null ? {} : { retireReason: row.retire_reason }),
    ...(row.retire_by === null ? {} : { retireBy: row.retire_by.toISOString() }),
    ...(row.draining_since === null ? {} : { drainingSince: row.draining_since.toISOString() }),
    state: row.state,
    conditions: row.conditions,
    generation: row.generation,
    failures: row.failures,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  }
}
