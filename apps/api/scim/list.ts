import { ScimError } from '#libs/domain/scim'

const maxCount = 200

/** The part of a list that is asked for: `startIndex` counts from 1 (RFC 7644, 3.4.2.4). */
export interface ListQuery {
  readonly startIndex: number
  readonly count: number
  /** Empty when there is none. */
  readonly filter: string
}

type Query = Readonly<Record<string, unknown>>

/** @throws ScimError `invalidValue` */
export function readListQuery(query: unknown): ListQuery {
  const given = query as Query
  const filter = given.filter ?? ''
  if (typeof filter !== 'string') throw new ScimError('invalidFilter', 'filter is given more than once')
  return {
    // What is out of bounds is mended, not refused: so the RFC has it.
    startIndex: Math.max(1, numberOf(given.startIndex, 'startIndex') ?? 1),
    count: Math.min(maxCount, Math.max(0, numberOf(given.count, 'count') ?? maxCount)),
    filter,
  }
}

function numberOf(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && /^-?\d{1,9}$/.test(value)) return Number(value)
  throw new ScimError('invalidValue', `${name} must be a whole number`)
}

export function listResponse(total: number, { startIndex }: ListQuery, resources: readonly object[]): object {
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults: total,
    startIndex,
    itemsPerPage: resources.length,
    Resources: resources,
  }
}
