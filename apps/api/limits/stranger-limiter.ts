import { isIPv6 } from 'node:net'
import { AppError } from '#libs/base'

/** Addresses that are remembered; the one that failed longest ago is forgotten first. */
const maxAddresses = 10_000
/** Milliseconds until the failures of one address are forgotten, however many they were. */
const longestMs = 2000

/**
 * Counts calls with credentials that are not good, by source address, in this process alone. Checking a signature costs
 * a tenth of a millisecond of a core: who only guesses is told to wait instead. Tokens that were good before are not
 * asked about: a colleague behind the same address goes on.
 */
export class StrangerLimiter {
  readonly #perSecond: number
  readonly #now: () => number
  /** By network: when all its failures have leaked away. The one that failed longest ago first. */
  readonly #emptyAt = new Map<string, number>()

  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#now = now
  }

  /**
   * Asked before a token is looked at that was never seen to be good. Of many at once those that are being looked at
   * already are not taken back: who comes anew with a good token, and with many calls, must not be taken for a stranger.
   * @throws AppError `exhausted` while too many calls from there came to nothing.
   */
  assertRoom(sourceAddress: string): void {
    const emptyAt = this.#emptyAt.get(networkOf(sourceAddress)) ?? 0
    if (emptyAt - this.#now() < 1000) return
    const message = 'too many calls from your address have no good credentials. Try again in 1 s'
    throw new AppError('exhausted', message, { context: { limit: 'source-address', retryAfterSeconds: 1 } })
  }

  failed(sourceAddress: string): void {
    const network = networkOf(sourceAddress)
    const now = this.#now()
    const emptyAt = Math.max(now, this.#emptyAt.get(network) ?? 0) + 1000 / this.#perSecond
    this.#emptyAt.delete(network)
    this.#emptyAt.set(network, Math.min(emptyAt, now + longestMs))
    if (this.#emptyAt.size <= maxAddresses) return
    for (const oldest of this.#emptyAt.keys()) {
      this.#emptyAt.delete(oldest)
      return
    }
  }
}

/** An IPv6 customer has a /64 at least, and may come from any address of it. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4).join(':')
}
