import { expect, test } from 'vitest'
import { rpcNamed, rpcs } from './index.ts'

test('every method of the contract is there, with its route', () => {
  expect(rpcs).toHaveLength(76)
  expect(new Set(rpcs.map((rpc) => `${rpc.verb} ${rpc.path}`)).size).toBe(76)
  expect(rpcNamed('UpdateNamespaceExportSink')).toMatchObject({
    verb: 'POST',
    path: '/cloud/namespaces/{namespace}/export-sinks/{spec.name}',
    grpcPath: '/temporal.api.cloud.cloudservice.v1.CloudService/UpdateNamespaceExportSink',
    kind: 'mutation',
    isAsync: true,
  })
})

test('mutations, reads and paged reads are told apart', () => {
  const kinds = (['GetAsyncOperation', 'GetNamespaces', 'DeleteNamespace', 'ValidateNamespaceExportSink'] as const).map(
    (name) => [rpcNamed(name).kind, rpcNamed(name).paged],
  )
  expect(kinds).toEqual([
    ['read', false],
    ['read', true],
    ['mutation', false],
    ['read', false],
  ])
})
