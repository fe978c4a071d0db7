import { status as grpcCodes, type ServiceError } from '@grpc/grpc-js'
import protobuf from 'protobufjs/light.js'
import { fromJson, type RpcName, type RpcRequest, rpcNamed, toJson } from '#libs/cloud-api'
import type { Answer, ApiUnderTest } from './api-under-test.ts'

/** What one call came to, in the words that both transports have for it. */
export interface Outcome {
  /** Of gRPC; 0 for an answer. */
  readonly code: number
  /** Empty for an answer. */
  readonly message: string
  /** The answer as canonical proto3 JSON; undefined for a refusal. */
  readonly body: unknown
  /** The fields that a refusal names, each with what is wrong with it. */
  readonly fields: readonly FieldViolation[]
}

interface FieldViolation {
  readonly field: string
  readonly description: string
}

/** HTTP status of each code, as docs/http-status-codes.md has it: written down again, not read from the product. */
const httpStatus: Readonly<Record<number, number>> = {
  [grpcCodes.OK]: 200,
  [grpcCodes.INVALID_ARGUMENT]: 400,
  [grpcCodes.FAILED_PRECONDITION]: 400,
  [grpcCodes.UNAUTHENTICATED]: 401,
  [grpcCodes.PERMISSION_DENIED]: 403,
  [grpcCodes.NOT_FOUND]: 404,
  [grpcCodes.ALREADY_EXISTS]: 409,
  [grpcCodes.RESOURCE_EXHAUSTED]: 429,
  [grpcCodes.UNIMPLEMENTED]: 501,
}

/** google.rpc.Status with its one kind of details. */
const { nested } = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
    Status: { fields: { details: { rule: 'repeated', type: 'Any', id: 3 } } },
    FieldViolation: { fields: { field: { type: 'string', id: 1 }, description: { type: 'string', id: 2 } } },
    BadRequest: { fields: { fieldViolations: { rule: 'repeated', type: 'FieldViolation', id: 1 } } },
  },
})
const [statusType, badRequest] = [nested?.Status, nested?.BadRequest] as [protobuf.Type, protobuf.Type]

/** @param request proto3 JSON. @throws Error for an answer over gRPC that is no `Outcome`: a lost connection, say. */
export async function overGrpc(api: ApiUnderTest, token: string, rpc: RpcName, request: object): Promise<Outcome> {
  const { requestType, responseType } = rpcNamed(rpc)
  const message = fromJson(requestType, request) as RpcRequest<typeof rpc>
  return api.grpc(token, rpc, message).then(
    (answer) => ({ code: grpcCodes.OK, message: '', body: toJson(responseType, answer), fields: [] }),
    (error: ServiceError) => {
      if (typeof error.code !== 'number') throw error
      return { code: error.code, message: error.details, body: undefined, fields: fieldsOf(error) }
    },
  )
}

function fieldsOf({ metadata }: ServiceError): readonly FieldViolation[] {
  const [bytes] = metadata.get('grpc-status-details-bin')
  if (!(bytes instanceof Buffer)) return []
  const { details } = statusType.decode(bytes) as unknown as { readonly details: readonly { value: Uint8Array }[] }
  return details.flatMap(({ value }) => {
    const { fieldViolations } = badRequest.toObject(badRequest.decode(value), { arrays: true })
    return fieldViolations as readonly FieldViolation[]
  })
}

/** @throws Error when the HTTP status is not the one of the code, or the answer has another form than it should. */
export async function overRest(api: ApiUnderTest, token: string, rpc: RpcName, request: object): Promise<Outcome> {
  const { verb } = rpcNamed(rpc)
  const { url, rest } = place(rpc, request)
  const { status, body } = await api.rest(token, verb, url, verb === 'POST' ? rest : undefined)
  const outcome = outcomeOf({ status, body })
  if (httpStatus[outcome.code] !== status) throw new Error(`${rpc}: HTTP ${status} for the code ${outcome.code}`)
  return outcome
}

function outcomeOf({ status, body }: Pick<Answer, 'status' | 'body'>): Outcome {
  if (status === 200) return { code: grpcCodes.OK, message: '', body, fields: [] }
  if (typeof body.code !== 'number' || typeof body.message !== 'string') {
    throw new Error(`HTTP ${status} without a Status: ${JSON.stringify(body)}`)
  }
  const details: readonly { readonly fieldViolations: readonly FieldViolation[] }[] = body.details ?? []
  const fields = details.flatMap(({ fieldViolations }) => fieldViolations)
  return { code: body.code, message: body.message, body: undefined, fields }
}

/** The URL of a request, and what is left of it for the body. A POST has the rest there, others in the query. */
function place(rpc: RpcName, request: object): { readonly url: string; readonly rest: object } {
  const { verb, path } = rpcNamed(rpc)
  const rest: Record<string, unknown> = { ...request }
  const filled = path.replace(/\{([^}]+)\}/g, (_, variable: string) => {
    const name = variable.replace(/_([a-z])/g, (__, letter: string) => letter.toUpperCase())
    const value = String(rest[name] ?? '')
    delete rest[name]
    return encodeURIComponent(value)
  })
  if (verb === 'POST') return { url: filled, rest }
  const query = new URLSearchParams(flat(rest)).toString()
  return { url: query === '' ? filled : `${filled}?${query}`, rest: {} }
}

function flat(value: object, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, each]) =>
    typeof each === 'object' && each !== null ? flat(each, `${prefix}${name}.`) : [[`${prefix}${name}`, String(each)]],
  )
}
