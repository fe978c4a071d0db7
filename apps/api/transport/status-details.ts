import protobuf from 'protobufjs/light.js'
import type { Status } from './status.ts'

/** The few well-known messages of google.rpc, which the contract's package does not carry whole. */
const root = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
    Status: {
      fields: {
        code: { type: 'int32', id: 1 },
        message: { type: 'string', id: 2 },
        details: { rule: 'repeated', type: 'Any', id: 3 },
      },
    },
    FieldViolation: { fields: { field: { type: 'string', id: 1 }, description: { type: 'string', id: 2 } } },
    BadRequest: { fields: { fieldViolations: { rule: 'repeated', type: 'FieldViolation', id: 1 } } },
  },
})
const statusType = root.lookupType('Status')
const badRequestType = root.lookupType('BadRequest')

/** Node's HTTP/2 takes 16 KB of headers; details that do not fit beside the rest are left out. */
const maxBytes = 6 * 1024

/** The trailer `grpc-status-details-bin`; undefined when the status has no details worth one. */
export function statusDetails({ grpcCode, message, problems }: Status): Buffer | undefined {
  if (problems.length === 0) return undefined
  const fieldViolations = problems.map(({ field, message: description }) => ({ field, description }))
  const value = badRequestType.encode({ fieldViolations }).finish()
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.BadRequest', value }]
  const bytes = statusType.encode({ code: grpcCode, message, details }).finish()
  return bytes.length > maxBytes ? undefined : Buffer.from(bytes)
}
