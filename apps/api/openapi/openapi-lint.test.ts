import type { FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { openapiFindings } from '../../../test/harness/openapi-findings.ts'
import { fakeDispatch, fakeRestServer } from '../transport/fixture.ts'

async function documentOf(app: FastifyInstance): Promise<string> {
  const { body } = await app.inject({ url: '/openapi.json' })
  await app.close()
  return body
}

test('the linter has nothing to say about the public document', async () => {
  expect(await openapiFindings(await documentOf(await fakeRestServer(fakeDispatch({}))))).toEqual([])
})

test('and would find a mistake', async () => {
  const document = JSON.parse(await documentOf(await fakeRestServer(fakeDispatch({}))))
  document.paths['/cloud/namespaces'].get.responses = {}
  const found = await openapiFindings(JSON.stringify(document))
  expect(found.some((finding) => finding.includes('/get/responses'))).toBe(true)
})
