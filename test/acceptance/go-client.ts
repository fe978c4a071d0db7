import { randomUUID } from 'node:crypto'
import protobuf from 'protobufjs/light.js'
import { expect } from 'vitest'
import { until } from '../harness/until.ts'
import { cloudMethod, encode } from './contract.ts'
import { productUnderTest } from './product-under-test.ts'
import { RawGrpc } from './raw-grpc.ts'

/** A message as it came: a field that was not sent is not there, one that is empty is. Enums by name. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into many shapes, and a wrong path fails the test.
export type Received = any

/** What tells the clients in Go from one another, as far as a server sees it. */
export const goClients = {
  terraform: {
    'temporal-cloud-api-version': 'v0.17.1',
    'user-agent': 'terraform-provider-temporalcloud/0.0 grpc-go/1.70.0',
  },
  cli: { 'temporal-cloud-api-version': 'v0.19.1', 'user-agent': 'temporalio-cloud-cli/0.0 grpc-go/1.70.0' },
  tcld: { 'temporal-cloud-api-version': 'v0.10.0', 'tcld-version': 'v0.41.0', 'user-agent': 'tcld/v0.41.0' },
  /** How tcld says it to services that are not ours. */
  dated: { 'temporal-cloud-api-version': '2025-07-09-00' },
} as const

/**
 * How the clients in Go call: over TLS, with a version, and with an operation id in every request that has a place for
 * one, filled in by their SDK when the caller gave none.
 */
export class GoClient {
  readonly #token: string
  readonly #headers: Readonly<Record<string, string>>
  #connection: Promise<RawGrpc> | undefined

  constructor(token: string, headers: Readonly<Record<string, string>> = goClients.terraform) {
    this.#token = token
    this.#headers = headers
  }

  /** @param request with enums by name. @throws Error for a refusal, with its code and its words. */
  async call(name: string, request: Readonly<Record<string, unknown>> = {}): Promise<Received> {
    const { code, text, message } = await this.#send(name, request)
    if (code !== 0) throw new Error(`${name}: ${code} ${text}`)
    return message
  }

  /** Of a call that must be refused. */
  async refusal(
    name: string,
    request: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly code: number; readonly text: string }> {
    const { code, text } = await this.#send(name, request)
    expect(code, name).not.toBe(0)
    return { code, text }
  }

  /** The change, and its operation polled to the end. Terraform takes every other end than FULFILLED for an error. */
  async done(name: string, request: Readonly<Record<string, unknown>>): Promise<Received> {
    const answer = await this.call(name, request)
    const asyncOperationId: string = answer.asyncOperation.id
    await until(
      `${name} ends`,
      async () => {
        // An operation that was just answered must be there.
        const { asyncOperation } = await this.call('GetAsyncOperation', { asyncOperationId })
        if (['STATE_PENDING', 'STATE_IN_PROGRESS'].includes(asyncOperation.state)) return false
        expect(asyncOperation.failureReason ?? '').toBe('')
        expect(asyncOperation.state).toBe('STATE_FULFILLED')
        return true
      },
      60_000,
    )
    return answer
  }

  async close(): Promise<void> {
    ;(await this.#connection)?.close()
  }

  async #send(name: string, request: Readonly<Record<string, unknown>>) {
    const method = cloudMethod(name)
    const { requestType, responseType, grpcPath: path } = method
    const takesId = 'asyncOperationId' in requestType.fields && (request.asyncOperationId ?? '') === ''
    const message = encode(method, takesId ? { ...request, asyncOperationId: randomUUID() } : request)
    this.#connection ??= connect()
    const headers = { authorization: `Bearer ${this.#token}`, ...this.#headers }
    const reply = await (await this.#connection).call({ authority: 'localhost', path, message, headers })
    const decoded = reply.grpcStatus === 0 ? responseType.decode(reply.message) : undefined
    if (decoded !== undefined) assertStates(responseType, decoded)
    return {
      code: reply.grpcStatus ?? -1,
      text: reply.text,
      message:
        decoded === undefined
          ? undefined
          : responseType.toObject(decoded, { enums: String, longs: Number, bytes: Buffer }),
    }
  }
}

/** Terraform takes a resource without a state for an error, in lists, too. */
function assertStates(type: protobuf.Type, message: Received): void {
  for (const field of type.fieldsArray) {
    field.resolve()
    const { name, resolvedType } = field
    if (name === 'state' && resolvedType?.name === 'ResourceState') expect(message.state, type.name).not.toBe(0)
    if (!(resolvedType instanceof protobuf.Type) || message[name] === null) continue
    for (const inner of field.repeated || field.map ? Object.values(message[name]) : [message[name]]) {
      assertStates(resolvedType, inner)
    }
  }
}

async function connect(): Promise<RawGrpc> {
  const { addresses, ca } = await productUnderTest()
  const [host = '', port] = addresses.grpcTls.split(':')
  return new RawGrpc({ host, port: Number(port), tls: { ca, serverName: 'localhost' } })
}
