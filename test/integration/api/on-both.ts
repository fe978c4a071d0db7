import { status as grpcCodes } from '@grpc/grpc-js'
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

/** @param request proto3 JSON. @throws Error for an answer over gRPC that is no `Outcome`: a lost connection, say. */
export async function overGrpc(api: ApiUnderTest, token: string, rpc: RpcName, request: object): Promise<Outcome> {
  const { requestType, responseType } = rpcNamed(rpc)
  const message = fromJson(requestType, request) as RpcRequest<typeof rpc>
  return api.grpc(token, rpc, message).then(
    (answer) => ({ code: grpcCodes.OK, message: '', body: toJson(responseType, answer) }),
    ({ code, details }) => {
      if (typeof code !== 'number') throw new Error(`${rpc}: no answer`)
      return { code, message: details, body: undefined }
    },
  )
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
  if (status === 200) return { code: grpcCodes.OK, message: '', body }
  if (typeof body.code !== 'number' || typeof body.message !== 'string') {
    throw new Error(`HTTP ${status} without a Status: ${JSON.stringify(body)}`)
  }
  return { code: body.code, message: body.message, body: undefined }
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
