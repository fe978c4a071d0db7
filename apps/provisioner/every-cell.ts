import type { Authorized } from '#libs/authz'
import type { Executor } from '#libs/store'
import { type CellRow, listCells } from '#libs/store/cells'

const perPage = 100

/** By id, read page by page. */
export async function* everyCell(executor: Executor, proof: Authorized<'cell', 'list'>): AsyncGenerator<CellRow> {
  for (let after = ''; ; ) {
    const cells = await listCells(executor, proof, { after, limit: perPage })
    yield* cells
    const last = cells.at(-1)
    if (last === undefined || cells.length < perPage) return
    after = last.id
  }
}
