import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { AppError } from '#libs/base'
import { afterChange, type RolloutChange, rolloutStates } from '#libs/domain/rollouts'
import { enqueue } from '#libs/jobs'
import type { Executor } from '#libs/store'
import {
  changeRollout,
  getRollout,
  listRolloutCells,
  listRollouts,
  lockRollout,
  type RolloutCellRow,
  type RolloutRow,
  restartRolloutTimes,
} from '#libs/store/rollouts'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import { shownTemplate, templateParts, templateSchema } from './node-template.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import {
  answer,
  type ById,
  boolean,
  idParameter,
  integer,
  listOf,
  noBody,
  oneOf,
  request,
  route,
  string,
  time,
} from './schemas.ts'
import { type RolloutRequest, startRollout } from './start-rollout.ts'

const tag = 'Rollouts'
const between = (minimum: number, maximum: number, description: string) =>
  ({ ...integer, minimum, maximum, description }) as const

const properties = {
  id: string,
  region: string,
  target: templateSchema,
  canaryCellId: string,
  cellsAtOnce: integer,
  soakSeconds: integer,
  nodeSeconds: integer,
  unwellSeconds: integer,
  state: oneOf(...rolloutStates),
  reason: { ...string, description: 'Why it stands still, or went back; empty when all is well.' },
  createdBy: string,
  createdAt: time,
  updatedAt: time,
  endedAt: time,
} as const
const summarySchema = answer(properties, ['endedAt'])
const rolloutSchema = answer(
  {
    ...properties,
    cells: {
      type: 'array',
      items: answer({
        cellId: string,
        progress: oneOf('waiting', 'changing', 'soaking', 'done', 'reverting', 'reverted'),
        since: time,
        previous: templateSchema,
        judged: {
          ...boolean,
          description: 'It worked before its change: it speaks against it when it does not after.',
        },
        detail: { ...string, description: 'What is not as it should be.' },
      }),
    },
  },
  ['endedAt'],
)

const changes: readonly (readonly [RolloutChange, string, string])[] = [
  ['pause', 'Begin with no further cell, and judge none, until it is resumed', 'paused by'],
  ['resume', 'Go on where it was', ''],
  ['cancel', 'End it; each cell keeps what it has', 'cancelled by'],
  ['roll-back', 'Give all cells back what they had', 'rolled back by'],
]

/** Changes of what nodes are made from, cell by cell. One at a time in a region. */
export function rolloutRoutes(app: FastifyInstance, context: OperatorContext): void {
  const { database, pages, clock } = context
  const params = idParameter

  app.post<{ Body: RolloutRequest }>(
    '/rollouts',
    {
      schema: route(
        tag,
        'Begin a rollout: what is not named of image and types is as the region’s settings say, the server’s version as new cells have it',
        rolloutSchema,
        {
          body: request(
            {
              region: { ...string, maxLength: 128 },
              ...templateParts,
              canaryCellId: { ...string, maxLength: 128, description: 'The least full ready one when not given.' },
              cellsAtOnce: between(1, 100, 'After the canary; 1 when not given.'),
              soakSeconds: between(
                0,
                604_800,
                'How long the canary works before the others change; 600 when not given.',
              ),
              nodeSeconds: between(1, 86_400, 'How long one new node may take; 1200 when not given.'),
              unwellSeconds: between(1, 86_400, 'How long a cell may not answer; 60 when not given.'),
            },
            ['region'],
          ),
        },
      ),
    },
    async (call) =>
      database.all.transaction().execute(async (trx) => {
        note(call, { region: call.body.region })
        const rolloutId = await startRollout(trx, claimsOf(call), context, call.body)
        await audited(trx, call, { rolloutId })
        return shownRollout(trx, call, rolloutId)
      }),
  )

  app.get<{ Querystring: PageQuery }>(
    '/rollouts',
    {
      schema: route(tag, 'List rollouts, newest first', listOf('rollouts', summarySchema), {
        querystring: request(pageParameters),
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'rollout', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'rollouts',
        { ...call.query },
        (before, limit) =>
          listRollouts(database.all, proof, { before: before === undefined ? undefined : Number(before), limit }),
        (row) => String(row.seq),
      )
      return { rollouts: items.map(summaryOf), nextPageToken }
    },
  )

  app.get<ById>('/rollouts/:id', { schema: route(tag, 'Get a rollout', rolloutSchema, { params }) }, async (call) =>
    shownRollout(database.all, call, call.params.id),
  )

  for (const [change, summary, words] of changes) {
    app.post<ById>(
      `/rollouts/:id/${change}`,
      { schema: route(tag, summary, rolloutSchema, { params, body: noBody }) },
      async (call) => {
        const rolloutId = call.params.id
        const claims = claimsOf(call)
        const proof = authorize(claims, 'rollout', 'update', { rolloutId })
        return database.all.transaction().execute(async (trx) => {
          const row = await lockRollout(trx, proof)
          const cells = await listRolloutCells(trx, proof)
          const canary = cells.find((cell) => cell.cell_id === row.canary_cell_id)
          const to = afterChange(row.state, change, canary?.progress === 'done')
          if (to === undefined) throw new AppError('precondition', `the rollout ${rolloutId} is ${row.state}`)
          const at = clock.now()
          if (to !== row.state) {
            const reason = words === '' ? '' : `${words} ${claims.name}`
            await changeRollout(trx, proof, { to, reason, at })
            if (change === 'resume') await restartRolloutTimes(trx, proof, at)
            await enqueue(trx, 'reconcile-rollout', { rolloutId })
          }
          await audited(trx, call)
          return shownRollout(trx, call, rolloutId)
        })
      },
    )
  }
}

async function shownRollout(executor: Executor, call: Parameters<typeof claimsOf>[0], rolloutId: string) {
  const proof = authorize(claimsOf(call), 'rollout', 'read', { rolloutId })
  const row = await getRollout(executor, proof)
  return { ...summaryOf(row), cells: (await listRolloutCells(executor, proof)).map(cellOf) }
}

function summaryOf(row: RolloutRow) {
  return {
    id: row.id,
    region: row.region,
    target: shownTemplate(row.target),
    canaryCellId: row.canary_cell_id,
    cellsAtOnce: row.cells_at_once,
    soakSeconds: row.soak_seconds,
    nodeSeconds: row.node_seconds,
    unwellSeconds: row.unwell_seconds,
    state: row.state,
    reason: row.reason,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at.toISOString() }),
  }
}

function cellOf(row: RolloutCellRow) {
  return {
    cellId: row.cell_id,
    progress: row.progress,
    since: row.since.toISOString(),
    previous: shownTemplate(row.previous),
    judged: row.judged,
    detail: row.detail,
  }
}
