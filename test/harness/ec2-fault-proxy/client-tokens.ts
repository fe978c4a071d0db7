import { type Refusal, textOf } from './query.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

interface Known {
  readonly fingerprint: string
  answer?: Answer
}

/**
 * What EC2 does with a RunInstances' ClientToken, and Moto does not: one request of a token has an effect, in each zone. The
 * same request again gets the first answer; another one is refused, also after a first one that failed; and the token of
 * an instance that has ended makes nothing any more.
 */
export class ClientTokens {
  readonly #known = new Map<string, Known>()
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #ended = new Set<string>()

  /** To be told of every instance that ends. */
  ended(instanceId: string): void {
    this.#ended.add(instanceId)
  }

  /** What EC2 promises not to do. */
  forget(): void {
    this.#known.clear()
  }

  isEnded(instanceId: string): boolean {
    return this.#ended.has(instanceId)
  }

  /** @returns the answer, or why there is none; `send` is called when the request is to have its effect now. */
  async once(zone: string, params: URLSearchParams, send: () => Promise<Answer>): Promise<Answer | Refusal> {
    const token = params.get('ClientToken')
    if (token === null) return send()
    const key = `${zone}/${token}`
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(() => this.#inTurn(key, params, send))
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    )
    return turn
  }

  async #inTurn(key: string, params: URLSearchParams, send: () => Promise<Answer>): Promise<Answer | Refusal> {
    const fingerprint = JSON.stringify([...params].toSorted())
    const known = this.#known.get(key) ?? { fingerprint }
    this.#known.set(key, known)
    if (known.fingerprint !== fingerprint) {
      return { status: 400, code: 'IdempotentParameterMismatch', message: 'the token was used with other arguments' }
    }
    if (known.answer !== undefined) {
      const instanceId = textOf(known.answer.body, 'instanceId') ?? ''
      if (!this.#ended.has(instanceId)) return known.answer
      return { status: 400, code: 'IdempotentInstanceTerminated', message: `${instanceId} is terminated` }
    }
    const answer = await send()
    if (answer.status === 200) known.answer = answer
    return answer
  }
}
