import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import type { Region } from '#libs/config'
import {
  type Cost,
  cellCost,
  formatMicro,
  type PriceTable,
  requestsAnswered,
  shareOf,
  totalCost,
} from '#libs/domain/costs'
import { hasFrontend } from '#libs/domain/nodes'
import { type CellUse, getCellUse, listCellUse } from '#libs/store/costs'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, type ById, boolean, idParameter, integer, oneOf, request, route, string } from './schemas.ts'

const tag = 'Costs'
/** GiB of a node's volume on EC2, where the region's `volumeGiB` does not say another number. */
const defaultVolumeGib = 50

const amount = { type: 'string', pattern: '^[0-9]+\\.[0-9]{6}$' } as const
const itemSchema = answer(
  {
    kind: oneOf('machine', 'volume', 'address', 'database'),
    type: { ...string, description: 'Of machines.' },
    quantity: { ...integer, description: 'Machines, addresses, databases; of volumes, GiB.' },
    perHour: { ...amount, description: 'Of all of them; missing when no price is known.' },
  },
  ['type', 'perHour'],
)
const costParts = {
  perHour: { ...amount, description: 'Of all whose price is known.' },
  isComplete: { ...boolean, description: 'False when something has no price: it costs more than `perHour`.' },
  items: { type: 'array', items: itemSchema },
} as const
const pricesSchema = answer({
  currency: string,
  month: { ...string, description: 'Of the prices.' },
  source: string,
})
const fullnessSchema = answer(
  {
    namespaces: integer,
    namespaceLimit: integer,
    requestsPerSecondAsked: { ...integer, description: 'What the limits of its namespaces come to together.' },
    requestsPerSecondAnswered: {
      ...integer,
      description: 'By its frontends; missing when their types were not measured.',
    },
    diskGib: { ...integer, description: 'Volumes of its nodes; missing when their size is not known.' },
  },
  ['requestsPerSecondAnswered', 'diskGib'],
)
const cellCostSchema = answer(
  {
    cellId: string,
    region: string,
    driver: string,
    size: string,
    ...costParts,
    perNamespaceHour: { ...amount, description: 'An even share; missing when it has no namespace.' },
    fullness: fullnessSchema,
  },
  ['perNamespaceHour'],
)

/** What runs costs, on demand, and how full it is. */
export function costRoutes(app: FastifyInstance, { database, pages, prices, regions }: OperatorContext): void {
  const told = { currency: prices.currency, month: prices.month, source: prices.source }
  const show = (use: CellUse) => cellCostOf(prices, regions, use)

  app.get<ById>(
    '/cells/:id/cost',
    {
      schema: route(tag, 'What a cell costs', answer({ prices: pricesSchema, cell: cellCostSchema }), {
        params: idParameter,
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'cost', 'read', { cellId: call.params.id })
      return { prices: told, cell: show(await getCellUse(database.all, proof)) }
    },
  )

  app.get<{ Querystring: PageQuery & { readonly region?: string } }>(
    '/costs',
    {
      schema: route(
        tag,
        'What all cells cost, together and each',
        answer({
          prices: pricesSchema,
          total: answer({ ...costParts, cells: integer, namespaces: integer }),
          cells: { type: 'array', items: cellCostSchema },
          nextPageToken: string,
        }),
        { querystring: request({ region: { ...string, maxLength: 128 }, ...pageParameters }) },
      ),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'cost', 'list', { fleet: true })
      const { region } = call.query
      const within = region === undefined ? {} : { region }
      const { items, nextPageToken } = await readPage(
        pages,
        'costs',
        { ...call.query },
        (after, limit) => listCellUse(database.all, proof, { ...within, after: after ?? '', limit }),
        (use) => use.cellId,
      )
      const all = await listCellUse(database.all, proof, within)
      const total = totalCost(all.map((use) => cellCost(prices, inventoryOf(regions, use))))
      const namespaces = all.reduce((count, use) => count + use.namespaces, 0)
      return {
        prices: told,
        total: { ...costOf(total), cells: all.length, namespaces },
        cells: items.map(show),
        nextPageToken,
      }
    },
  )
}

function cellCostOf(prices: PriceTable, regions: readonly Region[], use: CellUse) {
  const inventory = inventoryOf(regions, use)
  const cost = cellCost(prices, inventory)
  const share = cost.isComplete ? shareOf(cost.perHour, use.namespaces) : undefined
  const frontends = use.machines.filter(({ role }) => hasFrontend(role))
  const answered = requestsAnswered(prices, use.driver, frontends)
  return {
    cellId: use.cellId,
    region: use.region,
    driver: use.driver,
    size: use.size,
    ...costOf(cost),
    ...(share === undefined ? {} : { perNamespaceHour: formatMicro(share) }),
    fullness: {
      namespaces: use.namespaces,
      namespaceLimit: use.namespaceLimit,
      requestsPerSecondAsked: use.requestsPerSecond,
      ...(answered === undefined ? {} : { requestsPerSecondAnswered: answered }),
      ...(inventory.volumeGib === undefined ? {} : { diskGib: inventory.volumeGib }),
    },
  }
}

function costOf({ perHour, isComplete, items }: Cost) {
  return {
    perHour: formatMicro(perHour),
    isComplete,
    items: items.map(({ perHour: each, ...item }) => ({
      ...item,
      ...(each === undefined ? {} : { perHour: formatMicro(each) }),
    })),
  }
}

function inventoryOf(regions: readonly Region[], use: CellUse) {
  const machines = use.machines.reduce((all, { count }) => all + count, 0)
  const each = volumeGibOf(regions, use)
  return {
    region: use.region,
    driver: use.driver,
    machines: use.machines,
    volumeGib: each === undefined ? undefined : each * machines,
    addresses: use.addresses,
    hasDatabase: use.hasDatabase,
  }
}

/** Nodes of other drivers write on disks that are there anyway. */
function volumeGibOf(regions: readonly Region[], { region, driver }: CellUse): number | undefined {
  if (driver !== 'ec2') return 0
  const configured = regions.find(({ id }) => id === region)
  if (configured === undefined) return undefined
  const { volumeGiB } = configured.options
  return typeof volumeGiB === 'number' ? volumeGiB : defaultVolumeGib
}
