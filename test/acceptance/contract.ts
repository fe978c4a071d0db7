import { createRequire } from 'node:module'
import protobuf from 'protobufjs/light.js'

/** One method of a published service. */
export interface Method {
  readonly name: string
  /** `/package.Service/Method` */
  readonly grpcPath: string
  readonly requestType: protobuf.Type
  readonly responseType: protobuf.Type
}

/** One method of the Cloud Ops API, with its place in REST. */
export interface CloudMethod extends Method {
  readonly verb: string
  /** `/cloud/namespaces/{namespace}` */
  readonly path: string
}

const root: protobuf.Root = load()

/** Every method of the Cloud Ops API. */
export const cloudMethods: readonly CloudMethod[] = service('temporal.api.cloud.cloudservice.v1.CloudService').map(
  ([method, described]) => ({ ...described, ...place(method) }),
)

/** Every method of the frontend of a cell. */
export const workflowMethods: readonly Method[] = service('temporal.api.workflowservice.v1.WorkflowService').map(
  ([, described]) => described,
)

export function cloudMethod(name: string): CloudMethod {
  const found = cloudMethods.find((method) => method.name === name)
  if (found === undefined) throw new Error(`there is no method ${name}`)
  return found
}

/** @param message with enums by name, and `{ seconds }` for timestamps. */
export function encode({ requestType }: Method, message: object): Uint8Array {
  return requestType.encode(requestType.fromObject(message)).finish()
}

function load(): protobuf.Root {
  const loaded: unknown = createRequire(import.meta.url)('@temporalio/proto/protos/json-module.js')
  if (!(loaded instanceof protobuf.Root)) throw new Error('@temporalio/proto carries no protobufjs root')
  loaded.resolveAll()
  return loaded
}

function service(name: string): readonly (readonly [protobuf.Method, Method])[] {
  return root.lookupService(name).methodsArray.map((method) => {
    const { resolvedRequestType: requestType, resolvedResponseType: responseType } = method
    if (requestType === null || responseType === null) throw new Error(`${method.name} does not resolve`)
    return [method, { name: method.name, grpcPath: `/${name}/${method.name}`, requestType, responseType }]
  })
}

function place(method: protobuf.Method): { readonly verb: string; readonly path: string } {
  const options: readonly Readonly<Record<string, Readonly<Record<string, unknown>>>>[] = method.parsedOptions ?? []
  const http = options.find((option) => '(google.api.http)' in option)?.['(google.api.http)'] ?? {}
  for (const [verb, path] of Object.entries(http)) {
    if (['get', 'post', 'delete'].includes(verb)) return { verb: verb.toUpperCase(), path: String(path) }
  }
  throw new Error(`${method.name} has no place in REST`)
}
