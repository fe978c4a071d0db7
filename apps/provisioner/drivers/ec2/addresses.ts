import type { Clock } from '#libs/base'
import type { DriverResource, NodeExposure } from '../contract.ts'
import type { Ec2Calls, PublicAddress } from './ec2-calls.ts'
import { Ec2Error } from './error-kinds.ts'
import { addressTags, oursOnly, tagNames } from './tags.ts'

export interface AddressesDeps {
  readonly calls: Pick<
    Ec2Calls,
    'allocateAddress' | 'associateAddress' | 'disassociateAddress' | 'describeAddresses' | 'releaseAddress'
  >
  readonly clock: Clock
  readonly installation: string
}

/** The public addresses of slots. EC2 makes one more each time that it is asked, so that tags say what is there. */
export class Addresses {
  readonly #deps: AddressesDeps

  constructor(deps: AddressesDeps) {
    this.#deps = deps
  }

  /** Makes the slot's address lead to the machine. Of two that were made at once, the older stays, for whoever looks. */
  async lead({ cellId, slotId }: NodeExposure, machineId: string): Promise<string> {
    const { calls, clock, installation } = this.#deps
    const filter = oursOnly(installation, { cell: [cellId], slot: [slotId] })
    let found = await calls.describeAddresses(filter)
    if (found.length === 0) {
      const tags = addressTags(installation, { cellId, slotId, madeAt: clock.now() })
      const made = await calls.allocateAddress({ tags })
      // Somebody else may have done the same.
      const others = (await calls.describeAddresses(filter)).filter(({ id }) => id !== made.id)
      found = [...others, made]
    }
    const [kept, ...younger] = found.toSorted(byAge)
    if (kept === undefined) throw new Error('there is no address after one was made')
    if (kept.machineId !== machineId) await calls.associateAddress({ addressId: kept.id, machineId })
    for (const address of younger) await this.#release(address)
    return kept.address
  }

  async releaseAllBut(cellId: string, kept: readonly string[]): Promise<void> {
    const { calls, installation } = this.#deps
    const found = await calls.describeAddresses(oursOnly(installation, { cell: [cellId] }))
    for (const address of found) {
      const slot = address.tags[tagNames.slot]
      // What lacks the tag is not an address of a slot: nobody says that it is to go.
      if (slot !== undefined && !kept.includes(slot)) await this.#release(address)
    }
  }

  async list(): Promise<readonly DriverResource[]> {
    const { calls, installation } = this.#deps
    const found = await calls.describeAddresses(oursOnly(installation))
    return found.flatMap(({ id, tags }): DriverResource[] => {
      const { [tagNames.cell]: cellId, [tagNames.slot]: owner, [tagNames.madeAt]: madeAt = '' } = tags
      if (cellId === undefined || owner === undefined) return []
      const createdAt = new Date(madeAt)
      return [{ kind: 'address', id, cellId, owner, ...(Number.isNaN(createdAt.getTime()) ? {} : { createdAt }) }]
    })
  }

  /** One of `list`; one that is not this installation's is left alone. */
  async delete(id: string): Promise<void> {
    const { calls, installation } = this.#deps
    const found = await calls.describeAddresses(oursOnly(installation))
    const address = found.find((candidate) => candidate.id === id)
    if (address !== undefined) await this.#release(address)
  }

  async #release({ id, associationId }: PublicAddress): Promise<void> {
    const { calls } = this.#deps
    try {
      // EC2 releases nothing that leads somewhere.
      if (associationId !== undefined) await calls.disassociateAddress({ associationId })
      await calls.releaseAddress({ addressId: id })
    } catch (thrown) {
      if (!(thrown instanceof Ec2Error && thrown.kind === 'not_found')) throw thrown
    }
  }
}

function byAge(a: PublicAddress, b: PublicAddress): number {
  const madeAt = ({ tags }: PublicAddress) => tags[tagNames.madeAt] ?? ''
  if (madeAt(a) !== madeAt(b)) return madeAt(a) < madeAt(b) ? -1 : 1
  return a.id < b.id ? -1 : 1
}
