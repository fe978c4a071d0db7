import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Lazy, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Key } from 'aws-cdk-lib/aws-kms'
import { afterAll, describe, expect, it } from 'vitest'
import { productComponent } from './components.ts'
import { ImagePipeline } from './image-pipeline.ts'

const outdir = mkdtempSync(join(tmpdir(), 'aqueduct-image-'))
afterAll(() => rmSync(outdir, { recursive: true, force: true }))

/** The names of recipe and component, of which neither can be changed once it is there. */
function names(productHash: string, script: string): readonly unknown[] {
  const stack = new Stack(new App({ outdir }), 'stack', { env: { account: '111122223333', region: 'us-east-1' } })
  const source = Lazy.string({ produce: () => 's3://assets/product.zip' })
  const [test] = productComponent(source).test ?? []
  new ImagePipeline(stack, 'Pipeline', {
    name: 'aqueduct-prod-node',
    installation: 'prod',
    components: [{ ...productComponent(source), test: test === undefined ? [] : [{ ...test, script }] }],
    productHash,
    parameterName: '/aqueduct/prod/node-image',
    key: new Key(stack, 'Key'),
    subnetId: 'subnet-0123456789abcdef0',
    securityGroupId: 'sg-0123456789abcdef0',
    instanceProfileName: 'profile',
    executionRoleArn: 'arn:aws:iam::111122223333:role/builder',
  })
  const template = Template.fromStack(stack)
  return ['AWS::ImageBuilder::ImageRecipe', 'AWS::ImageBuilder::Component'].flatMap((type) =>
    Object.values(template.findResources(type)).map((found) => found.Properties?.Name as unknown),
  )
}

describe('recipes and components', () => {
  const before = names('hash', 'true')

  it('have a new name when the product or a text changes', () => {
    for (const changed of [names('another', 'true'), names('hash', 'false')]) {
      for (const [index, name] of changed.entries()) expect(name).not.toBe(before[index])
    }
  })

  it('keep it otherwise, whatever the CDK calls what it does not know yet', () => {
    expect(names('hash', 'true')).toEqual(before)
  })
})
