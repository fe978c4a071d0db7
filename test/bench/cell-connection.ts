import proto, { type temporal } from '@temporalio/proto'
import Long from 'long'
import { metadataOf, openGrpcClient } from './load/grpc-js-caller.ts'
import type { GrpcEndpoint } from './load/job.ts'

const { WorkflowService } = proto.temporal.api.workflowservice.v1
const callTimeoutMs = 20_000

/** A connection to a cell's WorkflowService, through the edge or not. */
export interface CellConnection {
  readonly service: temporal.api.workflowservice.v1.WorkflowService
  close(): void
}

export function connectToCell(endpoint: GrpcEndpoint): CellConnection {
  const client = openGrpcClient(endpoint)
  const metadata = metadataOf(endpoint)
  const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const asBytes = (buffer: Buffer): Uint8Array => buffer
  const service = WorkflowService.create((method, request, done) => {
    const path = `/temporal.api.workflowservice.v1.WorkflowService/${method.name}`
    const deadline = Date.now() + callTimeoutMs
    client.makeUnaryRequest(path, asBuffer, asBytes, request, metadata, { deadline }, (error, answer) =>
      done(error, answer ?? null),
    )
  })
  return { service, close: () => client.close() }
}

/** As the provisioner does it: what every namespace costs at the least. */
export async function registerNamespace({ service }: CellConnection, namespace: string): Promise<void> {
  await service.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: Long.fromNumber(86_400) },
  })
}
