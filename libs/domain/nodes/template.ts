import { createHash } from 'node:crypto'
import type { NodeRole } from './role.ts'

/**
 * What cannot change on a machine once it is there. A node whose template is not its cell's is replaced, never mended:
 * that is how a new server version, instance type or image comes into a cell.
 */
export interface NodeTemplate {
  /** Of the Temporal server: `1.32.2`. */
  readonly serverVersion: string
  /** What the machine starts from, in the driver's own words (`ami-…`, `ssm:/aqueduct/node-image`); absent where there are no images. */
  readonly image?: string
  /** In order of preference, by role; `default` is for roles that are not named. Absent where machines have no types. */
  readonly instanceTypes?: Readonly<Partial<Record<NodeRole | 'default', readonly string[]>>>
}

/** The same for two templates that mean the same, whatever the order of their keys: 16 hex digits. */
export function templateHash(template: NodeTemplate): string {
  const types = Object.entries(template.instanceTypes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const parts = [template.serverVersion, template.image ?? '', types]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}
