import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { until } from '../harness/until.ts'
import type { ProductUnderFault } from './product-under-fault.ts'

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes, and a wrong path fails the test.
  readonly body: any
}

export interface ClientCertificate {
  readonly certificate: string
  readonly privateKey: string
  readonly caCertificate: string
}

const region = 'aws-us-east-1'
const readyMs = 60_000

/** The operator API, as the first operator. */
export async function operator(
  product: ProductUnderFault,
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  const { addresses } = product
  return new Promise((resolve, reject) => {
    const call = request(
      `${addresses.operator}${path}`,
      {
        method,
        ca: readFileSync(addresses.caFile),
        cert: readFileSync(addresses.operatorCertificateFile),
        key: readFileSync(addresses.operatorKeyFile),
        agent: false,
        ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' } }),
      },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8')
          resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) })
        })
      },
    )
    call.once('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** A tenant that came in as everybody does, and what it can ask for. */
export class Tenant {
  readonly #product: ProductUnderFault
  readonly id: string
  readonly apiKey: string

  private constructor(product: ProductUnderFault, id: string, apiKey: string) {
    this.#product = product
    this.id = id
    this.apiKey = apiKey
  }

  static async join(product: ProductUnderFault, email: string): Promise<Tenant> {
    const anybody = (path: string, body: object) => callPublic(product, 'POST', path, undefined, body)
    const applied = await anybody('/v1/waitlist', { email, company: email, useCase: 'faults' })
    await expectOk(operator(product, 'POST', `/operator/v1/waitlist/${applied.body.id}/approve`))
    const outbox = join(product.data, 'outbox')
    const mail = readdirSync(outbox)
      .map((name) => readFileSync(join(outbox, name), 'utf8'))
      .find((text) => text.includes(`To: ${email}`))
    const token = /#token=(\S+)/.exec(mail ?? '')?.[1]
    const { body } = await expectOk(anybody('/v1/invitations/accept', { token }))
    const limits = { requestsPerSecond: 100_000, userRequestsPerSecond: 100_000, operationsInFlight: 100_000 }
    await expectOk(operator(product, 'POST', `/operator/v1/tenants/${body.tenant.id}/limits`, limits))
    return new Tenant(product, body.tenant.id, body.apiKey.token)
  }

  call(method: string, path: string, body?: object): Promise<Answer> {
    return callPublic(this.#product, method, path, this.apiKey, body)
  }

  async issueCertificate(): Promise<ClientCertificate> {
    const path = `/operator/v1/tenants/${this.id}/certificates`
    return (await expectOk(operator(this.#product, 'POST', path, { commonName: 'worker' }))).body
  }

  namespaceId(name: string): string {
    return `${name}.${this.id}`
  }

  /** @returns the operation's id. */
  async create(name: string, spec: object = {}): Promise<string> {
    const whole = { name, regions: [region], retentionDays: 1, apiKeyAuth: { enabled: true }, ...spec }
    return operationOf(await expectOk(this.call('POST', '/cloud/namespaces', { spec: whole })))
  }

  async update(name: string, change: object): Promise<string> {
    const path = `/cloud/namespaces/${this.namespaceId(name)}`
    const { namespace } = (await expectOk(this.call('GET', path))).body
    const spec = { ...namespace.spec, ...change }
    return operationOf(await expectOk(this.call('POST', path, { spec, resourceVersion: namespace.resourceVersion })))
  }

  async delete(name: string): Promise<string> {
    const path = `/cloud/namespaces/${this.namespaceId(name)}`
    const { namespace } = (await expectOk(this.call('GET', path))).body
    return operationOf(await expectOk(this.call('DELETE', `${path}?resourceVersion=${namespace.resourceVersion}`)))
  }

  /** Polls until it ended, through answers that say "not now". @returns its state, as in the contract. */
  async outcome(operationId: string, timeoutMs = readyMs): Promise<string> {
    let last = ''
    return until(
      `the operation ${operationId} ended`,
      async () => {
        const { status, body } = await this.call('GET', `/cloud/operations/${operationId}`).catch(notReached)
        last = status === 200 ? JSON.stringify(body) : last
        const state: string | undefined = body?.asyncOperation?.state
        if (state === 'STATE_FAILED') throw new Error(last)
        return state === 'STATE_FULFILLED' ? state : undefined
      },
      timeoutMs,
    ).catch((thrown: unknown) => {
      throw new Error(`${thrown instanceof Error ? thrown.message : thrown}; it last was ${last}`)
    })
  }

  async fulfilled(operationIds: readonly string[], timeoutMs = readyMs): Promise<void> {
    await Promise.all(operationIds.map((id) => this.outcome(id, timeoutMs)))
  }
}

export async function expectOk(call: Promise<Answer>): Promise<Answer> {
  const answer = await call
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  return answer
}

function notReached(): Answer {
  return { status: 0, body: undefined }
}

function operationOf({ body }: Answer): string {
  return body.asyncOperation.id
}

async function callPublic(
  product: ProductUnderFault,
  method: string,
  path: string,
  token: string | undefined,
  body: object | undefined,
): Promise<Answer> {
  const response = await fetch(`${product.addresses.http}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
