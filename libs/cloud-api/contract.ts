import { createRequire } from 'node:module'
import protobuf from 'protobufjs/light.js'

/**
 * The published Cloud Ops API as reflection objects. It is not written down again here: the npm package carries it,
 * with the HTTP annotations and the documentation texts, as one JSON module (which has no type declarations).
 */
const contract: protobuf.Root = load()

/** The only service that this API serves. */
export const cloudService: protobuf.Service = contract.lookupService('temporal.api.cloud.cloudservice.v1.CloudService')

function load(): protobuf.Root {
  const loaded: unknown = createRequire(import.meta.url)('@temporalio/proto/protos/json-module.js')
  if (!(loaded instanceof protobuf.Root)) {
    throw new Error('@temporalio/proto carries no protobufjs root: is a second version of protobufjs installed?')
  }
  loaded.resolveAll()
  return loaded
}
