import { coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import type { NodeDriver, NodeInstance } from '../drivers/contract.ts'

/** What the drivers run, listed once. */
export interface World {
  /** @returns null when there is no such machine, undefined when that is not known. */
  find(nodeId: string, driver: NodeDriver): NodeInstance | null | undefined
}

/** A driver that cannot be asked hides nothing: of its nodes nothing is known, which is told of. */
export async function listWorld(deps: {
  readonly drivers: readonly NodeDriver[]
  readonly logger: Logger
}): Promise<World> {
  const known = new Map<NodeDriver, ReadonlyMap<string, NodeInstance>>()
  const list = async (driver: NodeDriver) => {
    try {
      const instances = await driver.list()
      known.set(driver, new Map(instances.map((instance) => [instance.nodeId, instance])))
    } catch (thrown) {
      deps.logger.warn(
        { driver: driver.name, err: coerceError(thrown) },
        'the machines of a driver could not be listed',
      )
    }
  }
  await Promise.all(deps.drivers.map(list))
  return {
    find: (nodeId, driver) => {
      const instances = known.get(driver)
      return instances === undefined ? undefined : (instances.get(nodeId) ?? null)
    },
  }
}
