import type protobuf from 'protobufjs/light.js'
import { cloudService } from './contract.ts'
import type { RpcName } from './handlers.ts'

export type Verb = 'GET' | 'POST' | 'DELETE'

/** One method of the contract, as its annotations describe it. */
export interface Rpc {
  readonly name: RpcName
  /** What `AsyncOperation.operation_type` says. Temporal Cloud puts the name of the rpc there. */
  readonly operationName: string
  /** `/temporal.api.cloud.cloudservice.v1.CloudService/CreateNamespace` */
  readonly grpcPath: string
  readonly verb: Verb
  /** `/cloud/namespaces/{namespace}/export-sinks/{spec.name}`: variables are field paths in snake case. */
  readonly path: string
  readonly requestType: protobuf.Type
  readonly responseType: protobuf.Type
  /** A mutation changes desired state, and answers with an operation. Validate* rpcs only look: they are reads. */
  readonly kind: 'read' | 'mutation'
  /** Takes `page_size` and `page_token`. */
  readonly paged: boolean
  /** Answers with an AsyncOperation of its own, and takes `async_operation_id`. */
  readonly isAsync: boolean
  /** The documentation texts of the contract; empty where it has none. */
  readonly summary: string
  readonly description: string
  readonly tags: readonly string[]
}

/** Every method of the contract, in its order. */
export const rpcs: readonly Rpc[] = Object.freeze(cloudService.methodsArray.map(readRpc))

const byName: ReadonlyMap<string, Rpc> = new Map(rpcs.map((rpc) => [rpc.name, rpc]))

/** @throws Error when the contract has no such method, which only a mistake of ours can cause. */
export function rpcNamed(name: RpcName): Rpc {
  const rpc = byName.get(name)
  if (rpc === undefined) throw new Error(`the contract has no rpc ${name}`)
  return rpc
}

function readRpc(method: protobuf.Method): Rpc {
  const { resolvedRequestType: requestType, resolvedResponseType: responseType } = method
  if (requestType === null || responseType === null) throw new Error(`${method.name}: its types do not resolve`)
  const { verb, path } = readHttp(method)
  const texts = option(method, '(grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation)')
  const isAsync = verb !== 'GET' && 'asyncOperation' in responseType.fields
  return Object.freeze({
    // The contract's service and its type declarations come out of the same package, so the names agree.
    name: method.name as RpcName,
    operationName: method.name,
    grpcPath: `/${cloudService.fullName.slice(1)}/${method.name}`,
    verb,
    path,
    requestType,
    responseType,
    kind: isAsync ? 'mutation' : 'read',
    paged: 'pageToken' in requestType.fields,
    isAsync,
    summary: asText(texts.summary),
    description: asText(texts.description),
    tags: Array.isArray(texts.tags) ? texts.tags.map(asText) : [],
  })
}

function readHttp(method: protobuf.Method): { verb: Verb; path: string } {
  const http = option(method, '(google.api.http)')
  for (const verb of ['GET', 'POST', 'DELETE'] as const) {
    const path = http[verb.toLowerCase()]
    if (typeof path !== 'string') continue
    // What transport/rest.ts relies on: a POST takes all that the path does not name from its body, others have none.
    if ((verb === 'POST') !== (http.body === '*')) throw new Error(`${method.name}: an HTTP body that is not "*"`)
    return { verb, path }
  }
  throw new Error(`${method.name}: no HTTP annotation that this server understands`)
}

function option(method: protobuf.Method, name: string): Record<string, unknown> {
  const all: unknown = method.parsedOptions
  const list: readonly unknown[] = Array.isArray(all) ? all : []
  for (const entry of list) {
    if (typeof entry !== 'object' || entry === null || !Object.hasOwn(entry, name)) continue
    const value: unknown = (entry as Record<string, unknown>)[name]
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  }
  return {}
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
