import { randomBytes } from 'node:crypto'
import type { Region } from '#libs/config'
import { historyShardsFor } from '#libs/domain/cells'
import type { Sealer } from '#libs/sealing'
import type { CellTemplate } from '#libs/store/cells'

/** The Temporal server that new cells run. Older ones are refused: CVE-2025-14986, CVE-2025-14987, CVE-2026-5199. */
const serverVersion = '1.32.2'

/**
 * What a cell's databases have to be before its servers start: the server's own schema, and our columns for search
 * attributes. Another name means that the cells that are there are brought to it, before their nodes are.
 */
export const databaseSchema = `${serverVersion} with Cloud's search attributes`

/** What a new cell of the region is to be. */
export function newCellTemplate(region: Region, namespaceLimit: number, sealer: Sealer): CellTemplate {
  return {
    region: region.id,
    driver: region.driver,
    namespaceLimit,
    historyShards: historyShardsFor(1),
    serverVersion,
    sealPassword: (cellId) => sealer.seal(randomBytes(24).toString('base64url'), `cells/${cellId}/database`),
  }
}
