import type { temporal } from '@temporalio/proto'

type V1 = typeof temporal.api.cloud.cloudservice.v1

/** What `encode` of a message class accepts: the interface `I<Message>`. */
type Shape<Name> = Name extends keyof V1 ? (V1[Name] extends { encode(message: infer M): unknown } ? M : never) : never

type MethodName = Exclude<
  {
    [Key in keyof temporal.api.cloud.cloudservice.v1.CloudService]: temporal.api.cloud.cloudservice.v1.CloudService[Key] extends {
      readonly path: string
    }
      ? Key
      : never
  }[keyof temporal.api.cloud.cloudservice.v1.CloudService],
  undefined
>

/** The names of the contract's methods: `'CreateNamespace' | …`. */
export type RpcName = Capitalize<MethodName>

/** `I<Rpc>Request`. On both transports it arrives decoded: scalars that were not sent read as their defaults. */
export type RpcRequest<Name extends RpcName> = Shape<`${Name}Request`>

/** `I<Rpc>Response`. Plain objects will do. */
export type RpcResponse<Name extends RpcName> = Shape<`${Name}Response`>

export type CloudHandler<Context, Name extends RpcName> = (
  context: Context,
  request: RpcRequest<Name>,
) => Promise<RpcResponse<Name>>

/** What a resource contributes: one function for each rpc that it serves. An rpc with none answers UNIMPLEMENTED. */
export type CloudHandlers<Context> = { readonly [Name in RpcName]?: CloudHandler<Context, Name> }
