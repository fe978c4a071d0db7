import { describe, expect, test } from 'vitest'
import { AppError } from '#libs/base'
import { type RpcName, rpcNamed, toJson } from '#libs/cloud-api'
import { type RestRequest, readRestRequest } from './rest-request.ts'

function read(name: RpcName, given: Partial<RestRequest>): unknown {
  const rpc = rpcNamed(name)
  return toJson(rpc.requestType, readRestRequest(rpc, { variables: [], query: '', body: '', ...given }))
}

function refused(name: RpcName, given: Partial<RestRequest>): readonly string[] {
  try {
    read(name, given)
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === 'invalid') return thrown.problems.map(({ field }) => field)
    throw thrown
  }
  return []
}

describe('path variables', () => {
  test('dots, slashes and percent signs are values like any other', () => {
    expect(read('GetNamespace', { variables: ['orders.f45a2'] })).toEqual({ namespace: 'orders.f45a2' })
    expect(read('GetNamespace', { variables: ['__proto__'] })).toEqual({ namespace: '__proto__' })
  })

  test('a nested one joins the body', () => {
    const variables = ['orders.f45a2', 'sink-1']
    const body = JSON.stringify({ spec: { enabled: true }, resource_version: '7' })
    const expected = { namespace: 'orders.f45a2', spec: { name: 'sink-1', enabled: true }, resourceVersion: '7' }
    expect(read('UpdateNamespaceExportSink', { variables, body })).toEqual(expected)
    expect(read('UpdateNamespaceExportSink', { variables, body: '' })).toEqual({
      namespace: 'orders.f45a2',
      spec: { name: 'sink-1' },
    })
    expect(refused('UpdateNamespaceExportSink', { variables, body: '{"spec": 7}' })).toEqual(['spec'])
  })

  test('the body may repeat the path, in either spelling, but not contradict it', () => {
    const variables = ['usr-1']
    expect(read('UpdateUser', { variables, body: '{"userId": "usr-1"}' })).toEqual({ userId: 'usr-1' })
    expect(refused('UpdateUser', { variables, body: '{"userId": "usr-2"}' })).toEqual(['user_id'])
    expect(refused('UpdateUser', { variables, body: '{"user_id": 3}' })).toEqual(['user_id'])
    const nested = { variables: ['n.a', 'sink-1'], body: '{"spec": {"name": "other"}}' }
    expect(refused('UpdateNamespaceExportSink', nested)).toEqual(['spec.name'])
  })
})

describe('query', () => {
  test('snake and camel, nested with dots, repeated', () => {
    expect(read('GetNamespaces', { query: 'page_size=5&pageToken=a%2Bb&name=x' })).toEqual({
      pageSize: 5,
      pageToken: 'a+b',
      name: 'x',
    })
    expect(read('GetUserGroups', { query: 'google_group.email_address=a@b.c&scimGroup.idpId=7' })).toEqual({
      googleGroup: { emailAddress: 'a@b.c' },
      scimGroup: { idpId: '7' },
    })
    expect(read('DeleteNamespace', { variables: ['a.b'], query: 'resource_version=3' })).toEqual({
      namespace: 'a.b',
      resourceVersion: '3',
    })
    expect(read('GetApiKeys', { query: 'owner_type=OWNER_TYPE_USER' })).toEqual({ ownerType: 'OWNER_TYPE_USER' })
    expect(read('GetAuditLogs', { query: 'start_time_inclusive=2026-01-01T00:00:00Z' })).toEqual({
      startTimeInclusive: '2026-01-01T00:00:00Z',
    })
  })

  test('what is unknown, wrong, or given twice is named', () => {
    expect(refused('GetNamespaces', { query: 'nonsense=1' })).toEqual(['nonsense'])
    expect(refused('GetNamespaces', { query: '__proto__=1&constructor.x=2' })).toEqual(['__proto__', 'constructor.x'])
    expect(refused('GetNamespaces', { query: 'page_size=many' })).toEqual(['page_size'])
    expect(refused('GetNamespaces', { query: 'name=a&name=b' })).toEqual(['name'])
    expect(refused('GetNamespaces', { query: 'page_size=1&pageSize=1' })).toEqual(['pageSize'])
    expect(refused('GetUserGroups', { query: 'google_group=x' })).toEqual(['google_group'])
    expect(refused('GetUserGroups', { query: 'name.x=1&google_group.email_address.y=1' })).toHaveLength(2)
    expect(refused('GetNamespace', { variables: ['a.b'], query: 'namespace=c.d' })).toEqual(['namespace'])
    expect(refused('GetApiKeys', { query: 'owner_type=KING' })).toEqual(['owner_type'])
  })
})

describe('body', () => {
  test.each(['{', '[]', 'null', '"x"', '\u0000', '{"spec": {}} x'])('%j is refused', (body) => {
    expect(refused('CreateNamespace', { body })).toEqual(['body'])
  })

  test('an empty one is an empty message', () => {
    expect(read('CreateNamespace', { body: '  ' })).toEqual({})
  })

  test('a POST takes no query, a DELETE no body', () => {
    expect(refused('CreateNamespace', { body: '{}', query: 'async_operation_id=1' })).toEqual(['async_operation_id'])
    expect(refused('DeleteNamespace', { variables: ['a.b'], body: '{"resourceVersion": "1"}' })).toEqual(['body'])
  })
})
