import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { notFound } from '#libs/base'
import { defaultTemporalVersion, type Region } from '#libs/config'
import { templateHash } from '#libs/domain/nodes'
import { listCellsOfRegion } from '#libs/store/cells'
import { findOpenRollout, lastDoneTemplate } from '#libs/store/rollouts'
import { claimsOf } from './authenticate-operators.ts'
import { shownTemplate, templateSchema } from './node-template.ts'
import type { OperatorContext } from './operator-context.ts'
import { answer, type ById, boolean, idParameter, integer, route, string } from './schemas.ts'

const tag = 'Regions'
const properties = { id: string, driver: string, location: string, cellSize: string, nodeLimit: integer } as const
const strings = { type: 'array', items: string } as const
const regionSchema = answer(
  {
    ...properties,
    temporalVersions: { ...strings, description: 'That cells can be rolled to.' },
    settings: {
      ...templateSchema,
      description:
        'What a rollout brings that names nothing: the settings, and the version of the last rollout that was done.',
    },
    newCells: { ...templateSchema, description: 'What new cells get: what the last rollout left, else the settings.' },
    rolloutId: { ...string, description: 'Of the rollout that has not ended.' },
    cells: {
      type: 'array',
      items: answer({
        id: string,
        state: string,
        template: templateSchema,
        differs: {
          ...boolean,
          description: 'From the settings. A rollout brings the cell there; nothing does so by itself.',
        },
      }),
    },
  },
  ['rolloutId'],
)

/** The regions of the settings, and how far their cells are from them. */
export function regionRoutes(app: FastifyInstance, { database, regions, temporalVersions }: OperatorContext): void {
  app.get(
    '/regions',
    { schema: route(tag, 'List regions', answer({ regions: { type: 'array', items: answer(properties) } })) },
    async (call) => {
      authorize(claimsOf(call), 'cell', 'list', { fleet: true })
      return { regions: regions.map(summaryOf) }
    },
  )

  app.get<ById>(
    '/regions/:id',
    {
      schema: route(tag, 'Get a region, and how its cells differ from its settings', regionSchema, {
        params: idParameter,
      }),
    },
    async (call) => {
      const claims = claimsOf(call)
      const mayList = authorize(claims, 'cell', 'list', { fleet: true })
      const region = regions.find(({ id }) => id === call.params.id)
      if (region === undefined) throw notFound('region', call.params.id)
      const last = await lastDoneTemplate(database.all, region.id)
      const settings = { serverVersion: last?.serverVersion ?? defaultTemporalVersion, ...region.nodeTemplate }
      const cells = await listCellsOfRegion(database.all, mayList, region.id)
      const open = await findOpenRollout(database.all, authorize(claims, 'rollout', 'list', { fleet: true }), region.id)
      return {
        ...summaryOf(region),
        temporalVersions,
        settings: shownTemplate(settings),
        newCells: shownTemplate(last ?? settings),
        ...(open === undefined ? {} : { rolloutId: open.id }),
        cells: cells.map(({ id, state, node_template: template }) => ({
          id,
          state,
          template: shownTemplate(template),
          differs: templateHash(template) !== templateHash(settings),
        })),
      }
    },
  )
}

function summaryOf({ id, driver, location, cellSize, nodeLimit }: Region) {
  return { id, driver, location, cellSize, nodeLimit }
}
