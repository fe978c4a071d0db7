import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { AppError, invalidField } from '#libs/base'
import { type CellSize, cellSizes } from '#libs/domain/cells'
import { enqueue } from '#libs/jobs'
import type { Trx } from '#libs/store'
import {
  createCell,
  findCellComingUp,
  getCellSummary,
  newCellTemplate,
  retireCell,
  setCellDraining,
} from '#libs/store/cells'
import { getNode, replaceNode } from '#libs/store/nodes'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { cellOf, cellSchema, nodeOf, nodeSchema } from './fleet.ts'
import type { OperatorContext } from './operator-context.ts'
import { resizeCell } from './resize-cell.ts'
import { type ById, idParameter, noBody, oneOf, request, route, string } from './schemas.ts'

const tag = 'Cells and nodes'
const reason = { ...string, minLength: 1, maxLength: 500 } as const

/** Making, growing, emptying and retiring cells, and having single nodes replaced. The provisioner does what is asked for here. */
export function cellChangeRoutes(app: FastifyInstance, context: OperatorContext): void {
  const { database, sealer, clock } = context
  const params = idParameter

  app.post<{ Body: { readonly region: string; readonly size?: CellSize } }>(
    '/cells',
    {
      schema: route(tag, 'Create a cell; refused while another one of the region comes up', cellSchema, {
        body: request(
          {
            region: { ...string, maxLength: 128 },
            size: { ...oneOf(...cellSizes), description: 'As the region’s settings say when not given.' },
          },
          ['region'],
        ),
      }),
    },
    async (call) => {
      const claims = claimsOf(call)
      const proof = authorize(claims, 'cell', 'create', { fleet: true })
      const region = context.regions.find(({ id }) => id === call.body.region)
      if (region === undefined) throw invalidField('region', 'is not among AQUEDUCT_REGIONS')
      const template = newCellTemplate(region, context.namespaceLimit, sealer, call.body.size)
      return database.all.transaction().execute(async (trx) => {
        const before = await findCellComingUp(trx, proof, region.id)
        if (before !== undefined) {
          throw new AppError(
            'precondition',
            `the cell ${before} of ${region.id} is coming up: wait for it, or retire it`,
          )
        }
        const cellId = await createCell(trx, proof, template)
        const made = await getCellSummary(trx, authorize(claims, 'cell', 'read', { cellId }))
        refuseUnknownVersion(context, made.node_template.serverVersion)
        note(call, { cellId, region: region.id, size: template.size })
        await enqueue(trx, 'reconcile-cell', { cellId })
        await audited(trx, call)
        return cellOf(made)
      })
    },
  )

  const drained =
    (draining: boolean) => async (call: Parameters<typeof claimsOf>[0] & { readonly params: ById['Params'] }) => {
      const proof = authorize(claimsOf(call), 'cell', 'update', { cellId: call.params.id })
      return database.all.transaction().execute(async (trx) => {
        await setCellDraining(trx, proof, draining, clock.now())
        await audited(trx, call)
        return shownCell(trx, call, call.params.id)
      })
    }
  app.post<ById>(
    '/cells/:id/drain',
    { schema: route(tag, 'Give it no new namespaces', cellSchema, { params, body: noBody }) },
    drained(true),
  )
  app.post<ById>(
    '/cells/:id/undrain',
    { schema: route(tag, 'Give it new namespaces again', cellSchema, { params, body: noBody }) },
    drained(false),
  )

  app.post<ById & { Body: { readonly size: CellSize } }>(
    '/cells/:id/resize',
    {
      schema: route(
        tag,
        'Have a cell grow: its nodes are replaced while it works; refused where it cannot, with what to do instead',
        cellSchema,
        { params, body: request({ size: oneOf(...cellSizes) }, ['size']) },
      ),
    },
    async (call) => {
      const claims = claimsOf(call)
      const proof = authorize(claims, 'cell', 'update', { cellId: call.params.id })
      return database.all.transaction().execute(async (trx) => {
        const from = await resizeCell(trx, claims, context, proof, call.body.size)
        note(call, { from, size: call.body.size })
        await enqueue(trx, 'reconcile-cell', { cellId: call.params.id })
        await audited(trx, call)
        return shownCell(trx, call, call.params.id)
      })
    },
  )

  app.post<ById>(
    '/cells/:id/retire',
    {
      schema: route(
        tag,
        'Delete a cell without namespaces: its nodes, addresses and databases; refused with what is left on it',
        cellSchema,
        { params, body: noBody },
      ),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'cell', 'delete', { cellId: call.params.id })
      return database.all.transaction().execute(async (trx) => {
        await retireCell(trx, proof, clock.now())
        await enqueue(trx, 'reconcile-cell', { cellId: call.params.id })
        await audited(trx, call)
        return shownCell(trx, call, call.params.id)
      })
    },
  )

  app.post<ById & { Body: { readonly reason: string } }>(
    '/nodes/:id/replace',
    {
      schema: route(tag, 'Have another machine take its place, which drains it first', nodeSchema, {
        params,
        body: request({ reason }, ['reason']),
      }),
    },
    async (call) => {
      const claims = claimsOf(call)
      const proof = authorize(claims, 'node', 'replace', { nodeId: call.params.id })
      note(call, { reason: call.body.reason })
      return database.all.transaction().execute(async (trx) => {
        const cellId = await replaceNode(trx, proof, call.body.reason, clock.now())
        await enqueue(trx, 'reconcile-cell', { cellId })
        await audited(trx, call)
        return nodeOf(await getNode(trx, authorize(claims, 'node', 'read', { nodeId: call.params.id })))
      })
    },
  )
}

async function shownCell(trx: Trx, call: Parameters<typeof claimsOf>[0], cellId: string) {
  return cellOf(await getCellSummary(trx, authorize(claimsOf(call), 'cell', 'read', { cellId })))
}

/** What the region was rolled to last may have left the settings since: its cell would never come up. */
function refuseUnknownVersion({ temporalVersions }: OperatorContext, version: string): void {
  if (temporalVersions.includes(version)) return
  const advice = 'name it in AQUEDUCT_TEMPORAL_RELEASES again, or roll the region to another'
  throw new AppError('precondition', `new cells of the region run Temporal ${version}, which is not known: ${advice}`)
}
