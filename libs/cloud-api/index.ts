import proto from '@temporalio/proto'

export type { google, temporal } from '@temporalio/proto'
export { packAny } from './any.ts'
export { fieldNamed, isWellKnown } from './fields.ts'
export { fromJson } from './from-json.ts'
export type { CloudHandler, CloudHandlers, RpcName, RpcRequest, RpcResponse } from './handlers.ts'
export { type Rpc, rpcNamed, rpcs, type Verb } from './rpcs.ts'
export { fromTimestamp, toTimestamp } from './timestamp.ts'
export { toJson } from './to-json.ts'

/** The contract's enums and messages as values (`cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE`). */
export const cloud = proto.temporal.api.cloud
/** What descriptions are, to be kept as the bytes that it makes of them. */
export const payloadType = proto.temporal.api.common.v1.Payload
