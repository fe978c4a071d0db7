import type { TemplateJson } from '../../harness/infra.ts'

/**
 * Resource types that Moto's CloudFormation does not know: they are left out of what is deployed there, and are checked by
 * the templates alone.
 */
export const unknownToMoto: readonly string[] = [
  'AWS::CloudWatch::Alarm',
  'AWS::EC2::SecurityGroupEgress',
  // It knows them, takes every load balancer for an application's, and wants certificates of its own.
  'AWS::ElasticLoadBalancingV2::Listener',
  'AWS::ElasticLoadBalancingV2::ListenerRule',
  'AWS::ImageBuilder::Component',
  'AWS::ImageBuilder::DistributionConfiguration',
  'AWS::ImageBuilder::Image',
  'AWS::ImageBuilder::ImagePipeline',
  'AWS::ImageBuilder::ImageRecipe',
  'AWS::ImageBuilder::InfrastructureConfiguration',
  'AWS::Logs::MetricFilter',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SNS::TopicPolicy',
  'AWS::SecretsManager::Secret',
]

/** Attributes that it does not have, of types that it knows. */
const unknownAttributes: readonly string[] = ['MasterUserSecret.SecretArn', 'TargetGroupFullName']

/** Properties on which it fails, of types that it knows: it reads tags in another form, and takes a group for its name. */
const brokenProperties: Readonly<Record<string, readonly string[]>> = {
  'AWS::KMS::Key': ['Tags'],
  'AWS::RDS::DBInstance': ['DBParameterGroupName'],
  'AWS::SSM::Parameter': ['Tags'],
}

/** A template as Moto can deploy it: without what it does not know, and with a text where something referred to that. */
export function forMoto(template: TemplateJson): TemplateJson {
  const isKnown = (id: string): boolean => {
    const resource = template.Resources[id]
    return resource === undefined || !unknownToMoto.includes(resource.Type)
  }
  const rewrite = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rewrite)
    if (typeof value !== 'object' || value === null) return value
    const record = value as Record<string, unknown>
    if (typeof record.Ref === 'string' && !isKnown(record.Ref)) return unknownArn(record.Ref)
    const [id = '', attribute = ''] = (record['Fn::GetAtt'] ?? []) as readonly string[]
    if (id !== '' && (!isKnown(id) || unknownAttributes.includes(attribute))) return unknownArn(`${id}/${attribute}`)
    return Object.fromEntries(Object.entries(record).map(([key, item]) => [key, rewrite(item)]))
  }
  const Resources = Object.fromEntries(
    Object.entries(template.Resources)
      .filter(([id]) => isKnown(id))
      .map(([id, { DependsOn, ...resource }]) => {
        const dependencies = (typeof DependsOn === 'string' ? [DependsOn] : (DependsOn ?? [])).filter(isKnown)
        const broken = brokenProperties[resource.Type] ?? []
        const kept = Object.entries(resource.Properties ?? {}).filter(([name]) => !broken.includes(name))
        const Properties = rewrite(Object.fromEntries(kept))
        return [id, { ...resource, Properties, ...(dependencies.length > 0 && { DependsOn: dependencies }) }]
      }),
  )
  return rewriteOutputs({ ...template, Resources } as TemplateJson, rewrite)
}

/** Policies are checked for the form of what they are about. */
function unknownArn(name: string): string {
  return `arn:aws:unknown:us-east-1:111122223333:${name}`
}

function rewriteOutputs(template: TemplateJson, rewrite: (value: unknown) => unknown): TemplateJson {
  return { ...template, Outputs: rewrite(template.Outputs ?? {}) as NonNullable<TemplateJson['Outputs']> }
}
