import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { listSightings, summarizeOrphans } from '#libs/store/sightings'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import { answer, boolean, integer, request, route, string, time } from './schemas.ts'

const summarySchema = answer(
  {
    kind: string,
    waiting: { ...integer, description: 'There now, and deleted once they are old enough.' },
    strangers: { ...integer, description: 'There now, of cells that no row knows, and left alone.' },
    collected: { ...integer, description: 'Deleted until now.' },
    lastCollectedAt: time,
  },
  ['lastCollectedAt'],
)
const orphanSchema = answer(
  {
    scope: { ...string, description: 'Where it was seen: a driver, or the server of the cells’ databases.' },
    kind: string,
    id: string,
    cellId: string,
    stranger: boolean,
    firstSeenAt: time,
    askedAt: { ...time, description: 'When its deletion was asked for last.' },
  },
  ['askedAt'],
)

/** What runs and no row owns, and how much of it was deleted. */
export function orphanRoutes(app: FastifyInstance, { database, pages }: OperatorContext): void {
  app.get<{ Querystring: PageQuery }>(
    '/orphans',
    {
      schema: route(
        'Cells and nodes',
        'What no row owns, and how much of it was deleted',
        answer({
          kinds: { type: 'array', items: summarySchema },
          orphans: { type: 'array', items: orphanSchema },
          nextPageToken: string,
        }),
        { querystring: request(pageParameters) },
      ),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'orphan', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'orphans',
        { ...call.query },
        (after, limit) => listSightings(database.all, proof, { after: readKey(after), limit }),
        ({ scope, kind, id }) => JSON.stringify([scope, kind, id]),
      )
      const kinds = await summarizeOrphans(database.all, proof)
      return {
        kinds: kinds.map(({ lastCollectedAt, ...kind }) => ({ ...kind, ...at({ lastCollectedAt }) })),
        orphans: items.map(({ firstSeenAt, askedAt, ...orphan }) => ({
          ...orphan,
          firstSeenAt: firstSeenAt.toISOString(),
          ...at({ askedAt }),
        })),
        nextPageToken,
      }
    },
  )
}

/** What the key of a page says; it comes sealed, so that it is ours. */
function readKey(key: string | undefined): readonly [string, string, string] {
  const [scope = '', kind = '', id = '']: readonly string[] = key === undefined ? [] : JSON.parse(key)
  return [scope, kind, id]
}

/** Times that may be missing. */
function at(times: Readonly<Record<string, Date | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(times).flatMap(([name, time]) => (time === undefined ? [] : [[name, time.toISOString()]])),
  )
}
