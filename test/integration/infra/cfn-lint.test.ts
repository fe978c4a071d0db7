import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { afterAll, describe, expect, it } from 'vitest'
import { cfnLint } from '../../harness/cfn-lint.ts'
import { exampleInfra, templateOf } from '../../harness/infra.ts'

const folder = mkdtempSync(join(tmpdir(), 'aqueduct-templates-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Rules that say something else than that a template is wrong. */
const explained: Readonly<Record<string, string>> = {
  W3010: 'The zones are written out: an installation chooses three, and a cell is spread over exactly these.',
  W6001: 'The output of the region holds what other stacks made: that is what it is for.',
}

const write = (name: string, template: unknown): string => {
  const file = join(folder, `${name}.json`)
  writeFileSync(file, JSON.stringify(template))
  return file
}

describe('cfn-lint', { timeout: 300_000 }, () => {
  it('finds nothing in any template but what is explained', async () => {
    const stacks = Object.values(exampleInfra()).filter((stack) => stack instanceof Stack)
    const findings = await cfnLint(
      stacks.map((stack) => write(stack.stackName, templateOf(stack))),
      'us-east-1',
    )
    expect(findings.filter(({ rule }) => explained[rule] === undefined)).toEqual([])
    expect([...new Set(findings.map(({ rule }) => rule))].toSorted()).toEqual(Object.keys(explained))
  })

  it('would find a property that does not exist', async () => {
    const Resources = { Topic: { Type: 'AWS::SNS::Topic', Properties: { Nam: 'x' } } }
    const [finding] = await cfnLint([write('wrong', { Resources })], 'us-east-1')
    expect(finding).toMatchObject({ rule: 'E3002', path: 'Resources/Topic/Properties/Nam' })
  })
})
