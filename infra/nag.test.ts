import { Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, it } from 'vitest'
import { exampleInfra } from '../test/harness/infra.ts'

const { app } = exampleInfra()
const metadataKey = Validations.ACKNOWLEDGED_RULES_METADATA_KEY

interface Acknowledged {
  readonly path: string
  readonly id: string
  readonly reason: string
}

/** Everything that somebody here said is as it should be. */
const acknowledged: readonly Acknowledged[] = app.node.findAll().flatMap(({ node }) =>
  node.metadata
    .filter(({ type }) => type === metadataKey)
    .flatMap(({ data }) =>
      Object.entries(data as Record<string, string>).map(([id, reason]) => ({
        path: node.path,
        id: id.replace(/^annotation::/i, ''),
        reason,
      })),
    )
    .filter(({ id }) => id.startsWith('AwsSolutions-')),
)

function findings(pack: AwsSolutionsChecks): readonly { readonly rule: string; readonly path: string }[] {
  return pack
    .validateScope(app)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => ({ rule: ruleName, path: constructPath ?? '' })),
    )
}

describe('cdk-nag', () => {
  it('finds nothing that is not explained', () => {
    expect(findings(new AwsSolutionsChecks(app))).toEqual([])
  })

  it('finds each thing that is explained: no explanation is left over', () => {
    const pack = new AwsSolutionsChecks(app)
    // As if nothing were acknowledged.
    Reflect.set(pack, 'isAcknowledged', () => false)
    const all = findings(pack)
    expect(all.length).toBeGreaterThan(5)
    const covers = ({ path, id }: Acknowledged) =>
      all.some(({ rule, path: found }) => rule === id && (found === path || found.startsWith(`${path}/`)))
    expect(acknowledged.filter((one) => !covers(one))).toEqual([])
  })

  it('is answered in sentences, not in words', () => {
    expect(acknowledged.length).toBeGreaterThan(5)
    expect(acknowledged.filter(({ reason }) => reason.length < 30 || !reason.endsWith('.'))).toEqual([])
  })
})
