import { until } from '../harness/until.ts'
import { type Answer, http, type Json } from './http.ts'
import { productUnderTest } from './product-under-test.ts'

/** What every change answers, in the parts that tests look at. */
export interface Mutated {
  readonly asyncOperation: { readonly id: string; readonly state: string; readonly failureReason?: string }
}

interface Resource {
  readonly spec: object
  readonly resourceVersion: string
}

/** The Cloud Ops API over REST with one API key, as a person with `curl` would use it. */
export class CloudApi {
  readonly #token: string | undefined

  /** @param token undefined: no credentials. */
  constructor(token: string | undefined) {
    this.#token = token
  }

  get token(): string {
    return this.#token ?? ''
  }

  /** @param path from `/cloud` on. */
  async answer(method: string, path: string, body?: unknown): Promise<Answer> {
    const { addresses, ca } = await productUnderTest()
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }
    return http(`${addresses.https}${path}`, { method, headers, body, ca })
  }

  /** @throws Error for any answer but 200. */
  async call<Shape = Json>(method: string, path: string, body?: unknown): Promise<Shape> {
    const answer = await this.answer(method, path, body)
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.json as Shape
  }

  get<Shape = Json>(path: string): Promise<Shape> {
    return this.call<Shape>('GET', path)
  }

  post<Shape = Mutated>(path: string, body: unknown): Promise<Shape> {
    return this.call<Shape>('POST', path, body)
  }

  /** Waits until the operation in an answer has ended. @throws Error unless it is FULFILLED then. */
  async fulfilled({ asyncOperation: { id } }: Mutated, limitMs = 60_000): Promise<void> {
    const ended = await until(
      `operation ${id} ends`,
      async () => {
        const { asyncOperation } = await this.get<Mutated>(`/cloud/operations/${id}`)
        return ['STATE_PENDING', 'STATE_IN_PROGRESS'].includes(asyncOperation.state) ? undefined : asyncOperation
      },
      limitMs,
    )
    if (ended.state !== 'STATE_FULFILLED') throw new Error(`operation ${id}: ${JSON.stringify(ended)}`)
  }

  /** Reads the resource at `path`, and posts its spec with `change` and its version: what every update consists of. */
  async update(path: string, change: object): Promise<void> {
    const { spec, resourceVersion } = await this.#resource(path)
    await this.fulfilled(await this.post(path, { spec: { ...spec, ...change }, resourceVersion }))
  }

  /** Deletes the resource at `path` with its present version. */
  async delete(path: string): Promise<void> {
    await this.fulfilled(await this.call('DELETE', await this.deletion(path)))
  }

  /** `path` with the resource's present version, as a DELETE wants it. */
  async deletion(path: string): Promise<string> {
    const { resourceVersion } = await this.#resource(path)
    return `${path}?resource_version=${encodeURIComponent(resourceVersion)}`
  }

  async #resource(path: string): Promise<Resource> {
    const [resource] = Object.values(await this.get<Readonly<Record<string, Resource>>>(path))
    if (resource === undefined) throw new Error(`there is nothing at ${path}`)
    return resource
  }
}
