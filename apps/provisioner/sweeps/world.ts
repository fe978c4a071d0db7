import { coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import type { NodeDriver, NodeInstance } from '../drivers/contract.ts'

/** What the drivers run, listed once. */
export interface World {
  /** @returns null when the region's driver has no such machine, undefined when that is not known. */
  find(nodeId: string, regionId: string): NodeInstance | null | undefined
}

export interface WorldDeps {
  /** By region id. */
  readonly drivers: ReadonlyMap<string, NodeDriver>
  readonly logger: Logger
}

/** A driver that cannot be asked stops nobody: of its nodes nothing is known, which is told of. */
export async function listWorld({ drivers, logger }: WorldDeps): Promise<World> {
  const known = new Map<NodeDriver, ReadonlyMap<string, NodeInstance>>()
  const list = async (driver: NodeDriver) => {
    try {
      const instances = await driver.list()
      known.set(driver, new Map(instances.map((instance) => [instance.nodeId, instance])))
    } catch (thrown) {
      logger.warn({ driver: driver.name, err: coerceError(thrown) }, 'the machines of a driver could not be listed')
    }
  }
  await Promise.all([...new Set(drivers.values())].map(list))
  return {
    find: (nodeId, regionId) => {
      const driver = drivers.get(regionId)
      const instances = driver === undefined ? undefined : known.get(driver)
      return instances === undefined ? undefined : (instances.get(nodeId) ?? null)
    },
  }
}
