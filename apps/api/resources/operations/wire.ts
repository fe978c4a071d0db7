import Long from 'long'
import type { Claims } from '#libs/authz'
import {
  type CloudHandler,
  type CloudHandlers,
  cloud,
  fieldNamed,
  type google,
  type RpcName,
  type RpcRequest,
  rpcNamed,
  type temporal,
  toTimestamp,
} from '#libs/cloud-api'
import { checkEveryMs, type OperationState } from '#libs/domain/operations'
import type { OperationRow } from '#libs/store/operations'
import type { CallContext } from '../../transport/call-context.ts'

export type { RpcName, RpcRequest } from '#libs/cloud-api'

/** What the API answers, by rpc. */
export type ApiHandlers = CloudHandlers<CallContext<Claims>>
/** The handlers of exactly these rpcs. */
export type HandlersOf<Names extends RpcName> = { readonly [Name in Names]: CloudHandler<CallContext<Claims>, Name> }
export type OperationHandlers = HandlersOf<'GetAsyncOperation'>
export type WireOperation = temporal.api.cloud.operation.v1.IAsyncOperation

type Message = Record<string, unknown>
type MessageType = ReturnType<typeof rpcNamed>['requestType']

const State = cloud.operation.v1.AsyncOperation.State

/** REJECTED is not among them: clients poll it for ever. */
const states: Readonly<Record<OperationState, { readonly state: number; readonly text: string }>> = {
  pending: { state: State.STATE_PENDING, text: 'pending' },
  in_progress: { state: State.STATE_IN_PROGRESS, text: 'in_progress' },
  failed: { state: State.STATE_FAILED, text: 'failed' },
  cancelled: { state: State.STATE_CANCELLED, text: 'cancelled' },
  fulfilled: { state: State.STATE_FULFILLED, text: 'fulfilled' },
}

export function operationToWire(row: OperationRow): WireOperation {
  const { state, text } = states[row.state]
  return {
    id: row.id,
    state,
    stateDeprecated: text,
    checkDuration: durationOf(checkEveryMs),
    operationType: row.rpc,
    operationInput: inputOf(row),
    failureReason: row.failure_reason,
    ...(row.started_at === null ? {} : { startedTime: toTimestamp(row.started_at) }),
    ...(row.finished_at === null ? {} : { finishedTime: toTimestamp(row.finished_at) }),
  }
}

/**
 * The bytes of a request without its operation id: what two requests under one id are compared by, and what the
 * operation shows as its input. Map entries stand in order, since Go writes a map anew in another order each time.
 */
export function canonicalRequest<Name extends RpcName>(rpc: Name, request: RpcRequest<Name>): Uint8Array {
  const type = rpcNamed(rpc).requestType
  const plain = sorted(type, { ...(request as Message), asyncOperationId: '' })
  return type.encode(plain).finish()
}

function sorted(type: MessageType, message: Message): Message {
  const copy: Message = {}
  for (const [name, value] of Object.entries(message)) {
    const field = fieldNamed(type, name)
    // What the contract does not know was not understood, and is not a part of the request.
    if (field === undefined || value === null || value === undefined) continue
    const inner = field.resolvedType
    const deep = (each: unknown) =>
      inner !== null && 'fieldsArray' in inner && isMessage(each) ? sorted(inner, each) : each
    if (field.map && isMessage(value)) {
      const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      copy[name] = Object.fromEntries(entries.map(([key, each]) => [key, deep(each)]))
    } else copy[name] = Array.isArray(value) ? value.map(deep) : deep(value)
  }
  return copy
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

/** Clients print it with their own registry of types: nothing but requests of the contract may stand there. */
function inputOf(row: OperationRow): google.protobuf.IAny {
  // The column was written from the name of an rpc.
  const type = rpcNamed(row.rpc as RpcName).requestType
  return { type_url: `type.googleapis.com/${type.fullName.slice(1)}`, value: row.request }
}

function durationOf(ms: number): google.protobuf.IDuration {
  const seconds = Math.floor(ms / 1000)
  return { seconds: Long.fromNumber(seconds), nanos: (ms - seconds * 1000) * 1_000_000 }
}
