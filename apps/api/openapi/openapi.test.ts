import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fakeDispatch, fakeRestServer } from '../transport/fixture.ts'

let app: FastifyInstance
let document: {
  openapi: string
  paths: Record<string, Record<string, { operationId: string; parameters: { name: string; in: string }[] }>>
  components: { schemas: Record<string, { properties: Record<string, unknown> }> }
}

beforeAll(async () => {
  app = await fakeRestServer(fakeDispatch({}))
  document = (await app.inject({ url: '/openapi.json' })).json()
})
afterAll(() => app.close())

test('every rpc is in the document', () => {
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
  const ids = operations.map((operation) => operation.operationId).filter((id) => id !== undefined)
  expect(document.openapi).toBe('3.1.0')
  expect(new Set(ids).size).toBe(76)
})

test('parameters come from the path and, without a body, from the message', () => {
  const named = (path: string, verb: string) =>
    document.paths[path]?.[verb]?.parameters.map((parameter) => `${parameter.in} ${parameter.name}`)
  expect(named('/cloud/namespaces/{namespace}/export-sinks/{name}', 'post')).toEqual([
    'path namespace',
    'path name',
    'header x-aqueduct-dry-run',
  ])
  expect(named('/cloud/namespaces/{namespace}', 'delete')).toEqual([
    'path namespace',
    'query resource_version',
    'query async_operation_id',
    'header x-aqueduct-dry-run',
  ])
  expect(named('/cloud/user-groups', 'get')).toContain('query google_group.email_address')
})

test('every reference leads somewhere', () => {
  const references = JSON.stringify(document).match(/"#\/components\/[^"]+"/g) ?? []
  expect(references.length).toBeGreaterThan(200)
  for (const reference of new Set(references)) {
    const found = JSON.parse(reference)
      .slice(2)
      .split('/')
      .reduce((value: Record<string, unknown> | undefined, key: string) => value?.[key], document)
    expect(found, reference).toBeDefined()
  }
  expect(document.components.schemas['namespace.v1.NamespaceSpec']?.properties.retentionDays).toEqual({
    type: 'integer',
    format: 'int32',
  })
})

test('the page and all that it loads come from here', async () => {
  const page = await app.inject({ url: '/docs' })
  expect(page.statusCode).toBe(200)
  expect(page.headers['content-security-policy']).toContain("script-src 'self'")
  const sources = Array.from(page.body.matchAll(/(?:src|href)="([^"]+)"/g), (match) => match[1] ?? '')
  expect(sources.length).toBeGreaterThan(3)
  for (const source of sources) {
    const { pathname, host } = new URL(source, 'http://here/docs')
    expect(host).toBe('here')
    expect((await app.inject({ url: pathname })).statusCode, source).toBe(200)
  }
})
