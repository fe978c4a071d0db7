import proto from '@temporalio/proto'
import type { Identity } from './http.ts'
import type { Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'
import { RawGrpc, type RawReply, rawCall } from './raw-grpc.ts'

const { v1: workflowservice } = proto.temporal.api.workflowservice
export const workflowService = '/temporal.api.workflowservice.v1.WorkflowService'

/** Who somebody says they are. Nothing at all is possible, too. */
export interface Credentials {
  readonly identity?: Identity | undefined
  /** An API key. */
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** The codes of gRPC that an edge answers with. */
export const code = {
  ok: 0,
  invalid: 3,
  notFound: 5,
  denied: 7,
  exhausted: 8,
  unimplemented: 12,
  unauthenticated: 16,
} as const

export async function edgeConnection(namespace: Namespace, credentials: Credentials): Promise<RawGrpc> {
  const { ca } = await productUnderTest()
  const { host, port, hostname } = namespace
  return new RawGrpc({ host, port, tls: { ca, serverName: hostname, identity: credentials.identity } })
}

/** One call on one connection. @param method of WorkflowService, or a whole path */
export async function edgeCall(
  namespace: Namespace,
  credentials: Credentials,
  method: string,
  message: Uint8Array,
): Promise<RawReply> {
  const { ca } = await productUnderTest()
  const { host, port, hostname } = namespace
  return rawCall(
    { host, port, tls: { ca, serverName: hostname, identity: credentials.identity } },
    {
      authority: hostname,
      path: method.startsWith('/') ? method : `${workflowService}/${method}`,
      message,
      headers: headersOf(credentials),
    },
  )
}

export function headersOf({ token, headers }: Credentials): Readonly<Record<string, string>> {
  return { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers }
}

/** DescribeNamespace on a connection of its own: what a reader may do. */
export function describeThrough(namespace: Namespace, credentials: Credentials, id = namespace.id): Promise<RawReply> {
  return edgeCall(namespace, credentials, 'DescribeNamespace', describeMessage(id))
}

export function describeMessage(namespaceId: string): Uint8Array {
  return workflowservice.DescribeNamespaceRequest.encode({ namespace: namespaceId }).finish()
}

/** Signals a workflow that is not there: NOT_FOUND for who may write, and nothing has changed. */
export function signalThrough(namespace: Namespace, credentials: Credentials): Promise<RawReply> {
  const message = workflowservice.SignalWorkflowExecutionRequest.encode({
    namespace: namespace.id,
    workflowExecution: { workflowId: 'nobody' },
    signalName: 'hello',
    requestId: 'one',
  }).finish()
  return edgeCall(namespace, credentials, 'SignalWorkflowExecution', message)
}

/** The code of one call; `none` when there is no connection. */
export async function outcome(call: Promise<RawReply>): Promise<number | 'none'> {
  return call.then(
    (reply) => reply.grpcStatus ?? -reply.httpStatus,
    () => 'none' as const,
  )
}
