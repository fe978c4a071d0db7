import Long from 'long'
import { describe, expect, test } from 'vitest'
import { AppError } from '#libs/base'
import { cloud, fromJson, fromTimestamp, packAny, rpcNamed, toJson, toTimestamp } from './index.ts'

const createNamespace = rpcNamed('CreateNamespace').requestType
const createApiKey = rpcNamed('CreateApiKey').requestType
const getOperation = rpcNamed('GetAsyncOperation').responseType

function problemsOf(json: unknown, type = createNamespace): Record<string, string> {
  try {
    fromJson(type, json)
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== 'invalid') throw thrown
    return Object.fromEntries(thrown.problems.map(({ field, message }) => [field, message]))
  }
  return {}
}

describe('reading', () => {
  test('takes lowerCamelCase and snake_case, enums by name and number', () => {
    const read = (spec: unknown) => toJson(createNamespace, fromJson(createNamespace, { spec }))
    const expected = {
      spec: { name: 'a', retentionDays: 3, searchAttributes: { x: 'SEARCH_ATTRIBUTE_TYPE_INT' } },
    }
    expect(read({ name: 'a', retentionDays: 3, searchAttributes: { x: 3 } })).toEqual(expected)
    expect(read({ name: 'a', retention_days: '3', search_attributes: { x: 'SEARCH_ATTRIBUTE_TYPE_INT' } })).toEqual(
      expected,
    )
  })

  test('gives what decoding the wire gives: defaults read through, presence is kept', () => {
    const request = fromJson(createNamespace, { spec: { lifecycle: {}, fairness: null } }) as {
      asyncOperationId?: string
      spec?: { lifecycle?: unknown; fairness?: unknown }
    }
    expect(request.asyncOperationId).toBe('')
    expect(request.spec?.lifecycle).not.toBeNull()
    expect(request.spec?.fairness).toBeNull()
  })

  test('names every wrong field by its full path, as written', () => {
    expect(
      problemsOf({
        spec: {
          nonsense: 1,
          retention_days: 'soon',
          mtlsAuth: {
            accepted_client_ca: 'no base64!',
            certificateFilters: [{ commonName: 'a' }, { common_nam: 'b' }],
          },
          searchAttributes: { x: 'NO', y: 99 },
          regions: ['a', 1],
          fairness: [],
        },
        tags: { a: 3 },
        toString: 1,
      }),
    ).toEqual({
      'spec.nonsense': 'unknown field',
      'spec.retention_days': 'invalid integer',
      'spec.mtlsAuth.accepted_client_ca': 'must be base64',
      'spec.mtlsAuth.certificateFilters[1].common_nam': 'unknown field',
      'spec.searchAttributes["x"]': expect.stringContaining('must be one of SEARCH_ATTRIBUTE_TYPE_UNSPECIFIED'),
      'spec.searchAttributes["y"]': expect.stringContaining('must be one of'),
      'spec.regions[1]': 'expected string',
      'spec.fairness': 'must be an object',
      'tags["a"]': 'expected string',
      toString: 'unknown field',
    })
  })

  test.each([
    ['2026-02-30T00:00:00Z', 'invalid timestamp date'],
    ['yesterday', 'invalid timestamp'],
    [17, 'expected timestamp string'],
  ])('a bad time %s is refused', (expiryTime, message) => {
    expect(problemsOf({ spec: { expiryTime } }, createApiKey)).toEqual({ 'spec.expiryTime': message })
  })

  test.each([['[]'], ['null'], ['"text"'], ['7']])('%s is no request', (text) => {
    expect(problemsOf(JSON.parse(text))).toEqual({ request: 'must be an object' })
  })

  test('one field under two names, and two members of a oneof, are refused', () => {
    expect(problemsOf({ asyncOperationId: 'a', async_operation_id: 'b' })).toHaveProperty('async_operation_id')
    expect(problemsOf({ spec: { capacitySpec: { onDemand: {}, provisioned: {} } } })).toEqual({
      'spec.capacitySpec.provisioned': 'cannot be given together with onDemand',
    })
  })

  test('names that poison objects are names like any other', () => {
    expect(problemsOf(JSON.parse('{"__proto__": {"a": 1}}'))).toEqual({ ['__proto__']: 'unknown field' })
    expect(problemsOf(JSON.parse('{"tags": {"__proto__": "x"}}'))).toEqual({
      'tags["__proto__"]': 'is not a usable key',
    })
    expect(problemsOf(JSON.parse('{"constructor": 1}'))).toEqual({ constructor: 'unknown field' })
  })

  test('nesting without end is refused, and never overflows', () => {
    const endpoint = rpcNamed('CreateNexusEndpoint').requestType
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    expect(problemsOf(JSON.parse(`{"spec": ${deep}}`), endpoint)).toEqual({ spec: 'must be an object' })
    expect(problemsOf(JSON.parse(`{"spec": {"name": ${deep}}}`), endpoint)).toEqual({ 'spec.name': 'expected string' })
  })

  test('a body full of mistakes gets a short answer', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x${index}`, 1]))
    expect(Object.keys(problemsOf(many))).toHaveLength(20)
    expect(Object.keys(problemsOf({ ['y'.repeat(10_000)]: 1 }))[0]).toHaveLength(101)
  })
})

describe('writing', () => {
  test('leaves out what is unset, empty, or a default; keeps presence', () => {
    const spec = { name: '', retentionDays: 0, searchAttributes: {}, regions: [], lifecycle: {}, codecServer: null }
    expect(toJson(createNamespace, { spec, tags: {}, asyncOperationId: 'x' })).toEqual({
      spec: { lifecycle: {} },
      asyncOperationId: 'x',
    })
  })

  test('int64, bytes, enums, times and durations have their proto3 JSON forms', () => {
    const json = toJson(getOperation, {
      asyncOperation: {
        state: cloud.operation.v1.AsyncOperation.State.STATE_FULFILLED,
        checkDuration: { seconds: Long.fromNumber(3), nanos: 500_000_000 },
        startedTime: toTimestamp(new Date('2026-01-02T03:04:05.006Z')),
      },
    })
    expect(json).toEqual({
      asyncOperation: { state: 'STATE_FULFILLED', checkDuration: '3.500s', startedTime: '2026-01-02T03:04:05.006Z' },
    })
    const downloadInfo = [{ fileSizeBytes: Long.fromString('9007199254740993') }]
    expect(toJson(rpcNamed('GetBillingReport').responseType, { billingReport: { downloadInfo } })).toEqual({
      billingReport: { downloadInfo: [{ fileSizeBytes: '9007199254740993' }] },
    })
    const bytes = { spec: { mtlsAuth: { acceptedClientCa: Uint8Array.of(255, 254) } } }
    expect(toJson(createNamespace, bytes)).toEqual({ spec: { mtlsAuth: { acceptedClientCa: '//4=' } } })
  })

  test('a packed request is written with its type and its fields', () => {
    const operationInput = packAny('CreateNamespace', { spec: { name: 'a' }, tags: { team: 'x' } })
    expect(toJson(getOperation, { asyncOperation: { operationInput } })).toEqual({
      asyncOperation: {
        operationInput: {
          '@type': 'type.googleapis.com/temporal.api.cloud.cloudservice.v1.CreateNamespaceRequest',
          spec: { name: 'a' },
          tags: { team: 'x' },
        },
      },
    })
  })
})

test('times go both ways, before the epoch too', () => {
  for (const date of [new Date(1), new Date(-1), new Date('2026-11-22T01:02:03.999Z')]) {
    expect(fromTimestamp(toTimestamp(date))).toEqual(date)
  }
  expect(fromTimestamp(null)).toBeUndefined()
})
