import type { google } from '@temporalio/proto'
import type { RpcName, RpcRequest } from './handlers.ts'
import { rpcNamed } from './rpcs.ts'

/**
 * A request as `AsyncOperation.operation_input` carries it. Clients print it with their own registry of types, so
 * nothing but requests of the published contract may stand there.
 */
export function packAny<Name extends RpcName>(name: Name, request: RpcRequest<Name>): google.protobuf.IAny {
  const type = rpcNamed(name).requestType
  return {
    type_url: `type.googleapis.com/${type.fullName.slice(1)}`,
    value: type.encode(request as object).finish(),
  }
}
