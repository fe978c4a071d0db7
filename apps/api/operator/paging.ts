import { AppError, invalid } from '#libs/base'
import { type Page, type PageTokens, pageOf } from '../paging/page-tokens.ts'

/** The paging parameters of a list, as the query has them. */
export interface PageQuery {
  readonly pageSize?: string
  readonly pageToken?: string
}

export const pageParameters = {
  pageSize: { type: 'string', pattern: '^[0-9]{1,4}$', description: 'From 1 to 1000; 100 when not given.' },
  pageToken: { type: 'string', maxLength: 2048, description: '`nextPageToken` of the page before.' },
} as const

/**
 * Reads one page of a list. `fetch` gets the key of the last item of the page before, and how many items to look for.
 * @throws AppError `invalid` naming `pageSize` or `pageToken`.
 */
export async function readPage<Item>(
  pages: PageTokens,
  list: string,
  { pageSize, pageToken, ...filter }: PageQuery & Readonly<Record<string, string | undefined>>,
  fetch: (after: string | undefined, limit: number) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
): Promise<{ readonly items: readonly Item[]; readonly nextPageToken: string }> {
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const scope = { tenantId: '', rpc: `operator ${list}`, filter: Object.fromEntries(given) }
  const page = inOurWords(() =>
    pages.read(scope, {
      ...(pageSize === undefined ? {} : { pageSize: Number(pageSize) }),
      ...(pageToken === undefined ? {} : { pageToken }),
    }),
  )
  const { items, next } = pageOf(page, await fetch(page.after, page.size + 1), keyOf)
  return { items, nextPageToken: next === undefined ? '' : pages.write(scope, next) }
}

/** The Cloud Ops API writes its fields in snake case, this one does not. */
function inOurWords(read: () => Page): Page {
  try {
    return read()
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.problems.length === 0) throw thrown
    const rename = (field: string) => field.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    throw invalid(thrown.problems.map(({ field, message }) => ({ field: rename(field), message })))
  }
}
