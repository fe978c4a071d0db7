import { randomBytes } from 'node:crypto'
import { defaultTemporalVersion, type Region } from '#libs/config'
import { historyShardsFor } from '#libs/domain/cells'
import type { Sealer } from '#libs/sealing'
import type { CellTemplate } from '#libs/store/cells'

/** What a new cell of the region is to be. */
export function newCellTemplate(region: Region, namespaceLimit: number, sealer: Sealer): CellTemplate {
  return {
    region: region.id,
    driver: region.driver,
    namespaceLimit,
    historyShards: historyShardsFor(1),
    serverVersion: defaultTemporalVersion,
    sealPassword: (cellId) => sealer.seal(randomBytes(24).toString('base64url'), `cells/${cellId}/database`),
  }
}
