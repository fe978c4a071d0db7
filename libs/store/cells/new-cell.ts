import { randomBytes } from 'node:crypto'
import { defaultTemporalVersion, type Region } from '#libs/config'
import { historyShardsFor } from '#libs/domain/cells'
import type { Sealer } from '#libs/sealing'
import type { CellTemplate } from './store.ts'

/** What a new cell of the region is to be, unless the region's last rollout has left its cells with something else. */
export function newCellTemplate(
  region: Region,
  namespaceLimit: number,
  sealer: Sealer,
  size: CellTemplate['size'] = region.cellSize,
): CellTemplate {
  return {
    region: region.id,
    driver: region.driver,
    namespaceLimit,
    size,
    historyShards: historyShardsFor(size),
    nodeTemplate: { serverVersion: defaultTemporalVersion, ...region.nodeTemplate },
    sealPassword: (cellId) => sealer.seal(randomBytes(24).toString('base64url'), `cells/${cellId}/database`),
  }
}
