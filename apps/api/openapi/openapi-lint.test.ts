import { createConfig, lintFromString } from '@redocly/openapi-core'
import type { FastifyInstance } from 'fastify'
import { expect, test } from 'vitest'
import { fakeDispatch, fakeRestServer } from '../transport/fixture.ts'

/** Every finding of the linter's recommended rules, as `rule at place: what`. */
async function findings(document: string): Promise<readonly string[]> {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: document, config, absoluteRef: 'openapi.json' })
  return problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer ?? '?'}: ${message}`)
}

async function documentOf(app: FastifyInstance): Promise<string> {
  const { body } = await app.inject({ url: '/openapi.json' })
  await app.close()
  return body
}

test('the linter has nothing to say about the public document', async () => {
  expect(await findings(await documentOf(await fakeRestServer(fakeDispatch({}))))).toEqual([])
})

test('and would find a mistake', async () => {
  const document = JSON.parse(await documentOf(await fakeRestServer(fakeDispatch({}))))
  document.paths['/cloud/namespaces'].get.responses = {}
  const found = await findings(JSON.stringify(document))
  expect(found.some((finding) => finding.includes('/get/responses'))).toBe(true)
})
