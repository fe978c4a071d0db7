import type { Authorized } from '#libs/authz'

/** Whether a cell does what it is there for, as seen from outside of it. */
export interface CellHealth {
  /**
   * @param serverVersion what its servers are to be; undefined while there are several.
   * @returns for a person, what is wrong; undefined when it works.
   */
  ask(cell: Authorized<'cell', 'read'>, serverVersion: string | undefined): Promise<string | undefined>
}
