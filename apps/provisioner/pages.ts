/** Rows of one statement of a sweep: many enough that statements cost little, few enough to hold in memory. */
const perPage = 1_000

/**
 * Reads rows page by page, by their ids.
 * @param read the rows after an id, ascending, so many at most.
 * @param signal ends it between two pages: whoever sweeps has lost the turn.
 */
export async function* pagesOf<Row extends { readonly id: string }>(
  read: (page: { readonly after: string; readonly limit: number }) => Promise<readonly Row[]>,
  signal: AbortSignal,
  limit = perPage,
): AsyncGenerator<readonly Row[]> {
  for (let after = ''; ; ) {
    signal.throwIfAborted()
    const rows = await read({ after, limit })
    const last = rows.at(-1)
    if (last !== undefined) yield rows
    if (last === undefined || rows.length < limit) return
    after = last.id
  }
}
