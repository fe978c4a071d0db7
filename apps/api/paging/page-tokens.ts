import { createHash } from 'node:crypto'
import { invalidField } from '#libs/base'
import type { Sealer } from '#libs/sealing'

/** What a page token is good for: one tenant's one list with one filter. */
export interface PageScope {
  readonly tenantId: string
  readonly rpc: string
  readonly filter: Readonly<Record<string, string>>
}

/** The paging fields of a list request, as they were sent. */
export interface PageRequest {
  readonly pageSize?: number | null
  readonly pageToken?: string | null
}

export interface Page {
  /** The sort key of the last item of the page before; undefined for the first page. */
  readonly after: string | undefined
  readonly size: number
}

export interface PageTokens {
  /** @throws AppError `invalid` for a size beyond its bounds, or a token that was not made for this very list. */
  read(scope: PageScope, request: PageRequest): Page
  write(scope: PageScope, after: string): string
}

const defaultSize = 100
const maxSize = 1000
const maxTokenLength = 2048

/** Opaque tokens: sealed, so that nobody reads or makes them, and bound to their list. */
export function pageTokens(sealer: Sealer): PageTokens {
  return {
    read(scope, { pageSize, pageToken }) {
      return { size: readSize(pageSize ?? 0), after: readToken(sealer, scope, pageToken ?? '') }
    },
    write: (scope, after) => sealer.seal(after, placeOf(scope)),
  }
}

/** Asks for one item more than the page holds: whether there is another page is known then. */
export function pageOf<Item>(
  page: Page,
  items: readonly Item[],
  keyOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly next: string | undefined } {
  const last = items[page.size - 1]
  if (items.length <= page.size || last === undefined) return { items, next: undefined }
  return { items: items.slice(0, page.size), next: keyOf(last) }
}

function readSize(size: number): number {
  if (size < 0) throw invalidField('page_size', 'must not be negative')
  if (size > maxSize) throw invalidField('page_size', `must be at most ${maxSize}, not ${size}`)
  return size === 0 ? defaultSize : size
}

function readToken(sealer: Sealer, scope: PageScope, token: string): string | undefined {
  if (token === '') return undefined
  try {
    if (token.length <= maxTokenLength) return sealer.open(token, placeOf(scope)).toString('utf8')
  } catch {
    // Which of the many ways of being wrong it was is nobody's business.
  }
  throw invalidField('page_token', 'is not a token of this list with this filter: begin again without one')
}

function placeOf({ tenantId, rpc, filter }: PageScope): string {
  const filters = JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)))
  return `pages/${tenantId}/${rpc}/${createHash('sha256').update(filters).digest('hex')}`
}
