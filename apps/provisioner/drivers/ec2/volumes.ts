import type { DriverResource } from '../contract.ts'
import type { Ec2Calls } from './ec2-calls.ts'
import { Ec2Error } from './error-kinds.ts'
import { everyPage } from './machine-reader.ts'
import { oursOnly, tagNames } from './tags.ts'

export interface VolumesDeps {
  readonly calls: Pick<Ec2Calls, 'describeVolumes' | 'deleteVolume'>
  readonly installation: string
}

/** Volumes go with their machines; these are for what was left behind all the same. */
export class Volumes {
  readonly #deps: VolumesDeps

  constructor(deps: VolumesDeps) {
    this.#deps = deps
  }

  /** Those that no machine holds. */
  async list(): Promise<readonly DriverResource[]> {
    const { calls, installation } = this.#deps
    const found = await everyPage((page) => calls.describeVolumes({ ...oursOnly(installation), ...page }))
    return found.flatMap(({ id, available, tags, createdAt }): DriverResource[] => {
      const { [tagNames.cell]: cellId, [tagNames.node]: owner } = tags
      if (!available || cellId === undefined || owner === undefined) return []
      return [{ kind: 'volume', id, cellId, owner, ...(createdAt === undefined ? {} : { createdAt }) }]
    })
  }

  /** One of `list`; one that is not this installation's, or that a machine holds, is left alone. */
  async delete(id: string): Promise<void> {
    if (!(await this.list()).some((volume) => volume.id === id)) return
    try {
      await this.#deps.calls.deleteVolume({ volumeId: id })
    } catch (thrown) {
      if (!(thrown instanceof Ec2Error && thrown.kind === 'not_found')) throw thrown
    }
  }
}
