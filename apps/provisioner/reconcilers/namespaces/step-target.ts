import type { Authorized } from '#libs/authz'
import type { Clock } from '#libs/base'
import type { Database } from '#libs/store'
import type { CellRow } from '#libs/store/cells'
import type { NamespaceRow } from '#libs/store/namespaces'
import type { CellClient } from '../../temporal/cell-client.ts'
import type { Outward } from '../outward.ts'
import type { EdgeAccess } from './edge-access.ts'
import type { NameAccess } from './name-access.ts'

export interface StepDeps {
  readonly database: Database
  readonly clock: Clock
  readonly outward: Outward
  readonly edge: EdgeAccess
  readonly names: NameAccess
  /** The cell's own API, as its administrator. */
  readonly cellClient: (cellId: string) => Promise<CellClient>
}

/** What a step is done to, and the fence that its records carry. */
export interface StepTarget {
  readonly row: NamespaceRow
  readonly cell: CellRow
  readonly proof: Authorized<'namespace', 'update'>
  readonly fence: { readonly holder: string; readonly generation: number }
}
