import { fromTimestamp, type google, type temporal, toTimestamp } from '#libs/cloud-api'
import { type AuditEntryRow, auditLogId } from '#libs/store/audit'
import type { HandlersOf } from '../operations/wire.ts'

export type AuditLogHandlers = HandlersOf<'GetAuditLogs'>
type Timestamp = google.protobuf.ITimestamp | null | undefined

/** As the contract spells them; the others are ours. */
const principalTypes: Readonly<Record<string, string>> = { service_account: 'serviceaccount' }
const rpcInterfaces: ReadonlySet<string> = new Set(['cloud_rest', 'cloud_grpc'])

/** `raw_details` has what the record has no field for, the exact status first. */
export function logRecordToWire(row: AuditEntryRow): temporal.api.cloud.auditlog.v1.ILogRecord {
  return {
    emitTime: toTimestamp(row.emit_time),
    // Temporal Cloud's name for an rpc in its audit log: `CreateNamespaceAPI`.
    operation: rpcInterfaces.has(row.interface) ? `${row.operation}API` : row.operation,
    status: row.outcome === 'OK' ? 'OK' : 'ERROR',
    version: row.version,
    logId: auditLogId(row),
    principal: {
      type: principalTypes[row.principal_type] ?? row.principal_type,
      id: row.principal_id,
      name: row.principal_name,
      apiKeyId: row.credential_kind === 'api_key' ? row.credential_id : '',
    },
    rawDetails: struct({
      outcome: row.outcome,
      reason: row.reason,
      interface: row.interface,
      requestId: row.request_id,
      credential: { kind: row.credential_kind, id: row.credential_id },
      target: row.target,
      repeats: row.repeats,
      occurredAt: row.occurred_at.toISOString(),
      details: row.details,
      sequence: row.seq,
      hash: row.hash.toString('hex'),
    }),
    xForwardedFor: row.source_address,
    asyncOperationId: row.async_operation_id,
  }
}

/** @returns null for a time that no calendar has. */
export function timeFromWire(timestamp: Timestamp): Date | undefined | null {
  const time = fromTimestamp(timestamp)
  return time !== undefined && Number.isNaN(time.getTime()) ? null : time
}

function struct(value: Readonly<Record<string, unknown>>): google.protobuf.IStruct {
  return { fields: Object.fromEntries(Object.entries(value).map(([name, each]) => [name, wireValue(each)])) }
}

/** What the log holds: texts, numbers, truths, and objects of these. */
function wireValue(value: unknown): google.protobuf.IValue {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'number') return { numberValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value !== 'object' || value === null) return { nullValue: 0 }
  return { structValue: struct(value as Readonly<Record<string, unknown>>) }
}
