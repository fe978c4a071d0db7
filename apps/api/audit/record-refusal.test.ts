import { expect, test } from 'vitest'
import type { Claims } from '#libs/authz'
import { AppError } from '#libs/base'
import { rpcNamed } from '#libs/cloud-api'
import type { AuditEntry } from '#libs/store/audit'
import { statusOf } from '../transport/status.ts'
import { refusalRecorder } from './record-refusal.ts'

test('an entry that waits holds no more of a request than the log takes', () => {
  const entries: AuditEntry[] = []
  const record = refusalRecorder({ record: (entry) => entries.push(entry) })
  const long = 'x'.repeat(1_000_000)
  const error = new AppError('invalid', long)
  const claims: Claims = { kind: 'system', actor: 'test' }
  record({
    call: {
      rpc: rpcNamed('DeleteNamespace'),
      transport: 'rest',
      credentials: { authorization: undefined, peerCertificate: undefined, sourceAddress: '127.0.0.1' },
      requestId: 'r',
    },
    claims,
    request: { asyncOperationId: long, namespace: long },
    status: statusOf(error, 'r'),
    error,
  })
  expect(entries).toMatchObject([{ operation: 'DeleteNamespace', outcome: 'INVALID_ARGUMENT' }])
  expect(JSON.stringify(entries).length).toBeLessThan(10_000)
})
