import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { AppError } from '#libs/base'
import { setCellDraining } from '#libs/store/cells'
import { abortMove, beginMove, getMove, listMoves, listToEvacuate, type MoveRow } from '#libs/store/moves'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, type ById, idParameter, listOf, noBody, oneOf, request, route, string, time } from './schemas.ts'

const tag = 'Cells and nodes'
const cellId = { ...string, maxLength: 128 } as const
const moveSchema = answer(
  {
    id: string,
    namespaceId: string,
    sourceCellId: string,
    targetCellId: string,
    state: {
      ...oneOf('connecting', 'replicating', 'handing_over', 'switching', 'leaving', 'aborting', 'done', 'aborted'),
      description:
        'Up to `replicating` it can be aborted; in `handing_over` that takes effect if the hand-over is taken back. From `switching` on, the target serves.',
    },
    waitingFor: string,
    abortReason: string,
    requestedBy: string,
    createdAt: time,
    updatedAt: time,
    finishedAt: time,
  },
  ['abortReason', 'finishedAt'],
)
const evacuationSchema = answer({
  moves: { type: 'array', items: moveSchema },
  refused: { type: 'array', items: answer({ namespaceId: string, reason: string }) },
})

/** Namespaces from one cell to another, with all that they have. What is done here is a row; the provisioner acts on it. */
export function moveRoutes(app: FastifyInstance, { database, pages, clock }: OperatorContext): void {
  const params = idParameter

  app.get<{ Querystring: PageQuery }>(
    '/moves',
    { schema: route(tag, 'List moves', listOf('moves', moveSchema), { querystring: request(pageParameters) }) },
    async (call) => {
      const proof = authorize(claimsOf(call), 'move', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'moves',
        { ...call.query },
        (after, limit) => listMoves(database.all, proof, { after: after ?? '', limit }),
        (row) => row.id,
      )
      return { moves: items.map(moveOf), nextPageToken }
    },
  )

  app.get<ById>('/moves/:id', { schema: route(tag, 'Get a move', moveSchema, { params }) }, async (call) =>
    moveOf(await getMove(database.all, authorize(claimsOf(call), 'move', 'read', { moveId: call.params.id }))),
  )

  app.post<ById & { Body: { readonly cellId?: string } | null }>(
    '/namespaces/:id/move',
    {
      schema: route(tag, 'Move a namespace to another cell of its region, while its workflows go on', moveSchema, {
        params,
        body: {
          ...request({ cellId: { ...cellId, description: 'The one that a new namespace would get when not given.' } }),
          type: ['object', 'null'],
        },
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'move', 'create', { fleet: true })
      const wish = { namespaceId: call.params.id, targetCellId: call.body?.cellId }
      return database.all.transaction().execute(async (trx) => {
        const row = await beginMove(trx, proof, wish)
        await audited(trx, call, { moveId: row.id, targetCellId: row.target_cell_id })
        return moveOf(row)
      })
    },
  )

  app.post<ById & { Body: { readonly reason: string } }>(
    '/moves/:id/abort',
    {
      schema: route(tag, 'Undo a move that has not been handed over', moveSchema, {
        params,
        body: request({ reason: { ...string, minLength: 1, maxLength: 500 } }, ['reason']),
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'move', 'update', { moveId: call.params.id })
      note(call, { reason: call.body.reason })
      return database.all.transaction().execute(async (trx) => {
        const row = await abortMove(trx, proof, call.body.reason)
        await audited(trx, call)
        return moveOf(row)
      })
    },
  )

  app.post<ById>(
    '/cells/:id/evacuate',
    {
      schema: route(tag, 'Drain a cell and move everything off it, a few namespaces at a time', evacuationSchema, {
        params,
        body: noBody,
      }),
    },
    async (call) => {
      const claims = claimsOf(call)
      const mayMove = authorize(claims, 'move', 'create', { fleet: true })
      const mayDrain = authorize(claims, 'cell', 'update', { cellId: call.params.id })
      return database.all.transaction().execute(async (trx) => {
        await setCellDraining(trx, mayDrain, true, clock.now())
        const moves: MoveRow[] = []
        const refused: { readonly namespaceId: string; readonly reason: string }[] = []
        for (const namespaceId of await listToEvacuate(trx, mayMove, call.params.id)) {
          try {
            moves.push(await beginMove(trx, mayMove, { namespaceId, targetCellId: undefined }))
          } catch (thrown) {
            if (!(thrown instanceof AppError) || thrown.code !== 'precondition') throw thrown
            refused.push({ namespaceId, reason: thrown.message })
          }
        }
        await audited(trx, call, { moves: String(moves.length), refused: String(refused.length) })
        return { moves: moves.map(moveOf), refused }
      })
    },
  )
}

function moveOf(row: MoveRow) {
  return {
    id: row.id,
    namespaceId: row.namespace_id,
    sourceCellId: row.source_cell_id,
    targetCellId: row.target_cell_id,
    state: row.state,
    waitingFor: row.waiting_for,
    ...(row.abort_reason === null ? {} : { abortReason: row.abort_reason }),
    requestedBy: row.requested_by,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at.toISOString() }),
  }
}
