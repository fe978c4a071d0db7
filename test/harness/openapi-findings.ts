import { createConfig, lintFromString } from '@redocly/openapi-core'

/** Every finding of Redocly's recommended rules about an OpenAPI document, as `rule at place: what`. */
export async function openapiFindings(document: string): Promise<readonly string[]> {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: document, config, absoluteRef: 'openapi.json' })
  return problems.map(({ ruleId, message, location }) => `${ruleId} at ${location[0]?.pointer ?? '?'}: ${message}`)
}
