import type { Authorized } from '#libs/authz'
import { coerceError } from '#libs/base'
import { isVersion } from '#libs/domain/rollouts'
import type { Database } from '#libs/store'
import { findServedNamespace } from '#libs/store/rollouts'
import type { CellClient } from '../../temporal/cell-client.ts'
import type { EdgeAccess } from '../namespaces/edge-access.ts'
import type { CellHealth } from './cell-health.ts'

export interface ProbedCellHealthDeps {
  readonly database: Database
  readonly cellClient: (cellId: string) => Promise<CellClient>
  readonly edge: EdgeAccess
}

/**
 * Asks the cell itself, down to the services that carry workflows, and then for a namespace through each of its edges, as its
 * workers do.
 */
export class ProbedCellHealth implements CellHealth {
  readonly #deps: ProbedCellHealthDeps

  constructor(deps: ProbedCellHealthDeps) {
    this.#deps = deps
  }

  async ask(cell: Authorized<'cell', 'read'>, serverVersion: string | undefined): Promise<string | undefined> {
    const { cellId } = cell.target
    try {
      const reported = await (await this.#deps.cellClient(cellId)).probe()
      if (serverVersion !== undefined && !isVersion(reported.serverVersion, serverVersion)) {
        return `its servers report version ${reported.serverVersion} and not ${serverVersion}`
      }
      const namespace = await findServedNamespace(this.#deps.database.all, cell)
      if (namespace === undefined) return undefined
      const answer = await this.#deps.edge.awaitServing(cellId, namespace.id, namespace.generation)
      return answer.kind === 'serving' ? undefined : `its edges: ${answer.detail}`
    } catch (thrown) {
      return coerceError(thrown).message
    }
  }
}
