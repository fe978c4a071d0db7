import { createHash } from 'node:crypto'
import { Stack } from 'aws-cdk-lib'
import {
  CfnComponent,
  CfnDistributionConfiguration,
  CfnImage,
  CfnImagePipeline,
  CfnImageRecipe,
  CfnInfrastructureConfiguration,
} from 'aws-cdk-lib/aws-imagebuilder'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'
import { type ComponentDocument, componentYaml } from './component-document.ts'

export interface ImagePipelineProps {
  /** `aqueduct-prod-node` */
  readonly name: string
  readonly installation: string
  readonly components: readonly ComponentDocument[]
  /** Changes whenever the product does: component texts name it by a token only. */
  readonly productHash: string
  /** Where the newest image's id is written. */
  readonly parameterName: string
  readonly key: IKey
  readonly subnetId: string
  readonly securityGroupId: string
  readonly instanceProfileName: string
  readonly executionRoleArn: string
}

/**
 * An image: built and tested by the deployment, and once more each week on the newest Amazon Linux. Both write its id where
 * machines are started from.
 */
export class ImagePipeline extends Construct {
  constructor(scope: Construct, id: string, props: ImagePipelineProps) {
    super(scope, id)
    const { name, installation, components, productHash, parameterName, key, executionRoleArn } = props
    const { region } = Stack.of(this)
    // A version of a component or recipe cannot be changed: another content has another name.
    const parts = components.map((component) => {
      const data = componentYaml(component)
      const hash = digest(data, productHash)
      return new CfnComponent(this, `Component-${component.name}`, {
        name: `${name}-${component.name}-${hash}`,
        version: '1.0.0',
        platform: 'Linux',
        supportedOsVersions: ['Amazon Linux 2023'],
        description: component.description,
        kmsKeyId: key.keyArn,
        data,
      })
    })
    const recipe = new CfnImageRecipe(this, 'Recipe', {
      name: `${name}-${digest(...components.map(componentYaml), productHash)}`,
      version: '1.0.0',
      parentImage: `arn:aws:imagebuilder:${region}:aws:image/amazon-linux-2023-x86/x.x.x`,
      components: parts.map((part) => ({ componentArn: part.attrArn })),
      blockDeviceMappings: [
        {
          deviceName: '/dev/xvda',
          ebs: { encrypted: true, kmsKeyId: key.keyArn, volumeSize: 16, volumeType: 'gp3', deleteOnTermination: true },
        },
      ],
      additionalInstanceConfiguration: { systemsManagerAgent: { uninstallAfterBuild: false } },
    })
    const infrastructure = new CfnInfrastructureConfiguration(this, 'Infrastructure', {
      name,
      instanceProfileName: props.instanceProfileName,
      // Building the Temporal server takes minutes on two cores.
      instanceTypes: ['c7i.xlarge', 'c6i.xlarge', 'm6i.xlarge'],
      instanceMetadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
      subnetId: props.subnetId,
      securityGroupIds: [props.securityGroupId],
      terminateInstanceOnFailure: true,
    })
    const distribution = new CfnDistributionConfiguration(this, 'Distribution', {
      name,
      distributions: [
        {
          region,
          amiDistributionConfiguration: {
            Name: `${name}-{{ imagebuilder:buildDate }}`,
            KmsKeyId: key.keyArn,
            // The provisioner may start machines from images with this tag alone.
            AmiTags: { 'aqueduct:image': installation, Name: name },
          },
          ssmParameterConfigurations: [{ parameterName, dataType: 'aws:ec2:image' }],
        },
      ],
    })
    const common = {
      imageRecipeArn: recipe.attrArn,
      infrastructureConfigurationArn: infrastructure.attrArn,
      distributionConfigurationArn: distribution.attrArn,
      executionRole: executionRoleArn,
      imageTestsConfiguration: { imageTestsEnabled: true, timeoutMinutes: 60 },
      enhancedImageMetadataEnabled: true,
    }
    new CfnImagePipeline(this, 'Pipeline', {
      name,
      ...common,
      schedule: {
        scheduleExpression: 'cron(0 3 ? * mon *)',
        pipelineExecutionStartCondition: 'EXPRESSION_MATCH_ONLY',
      },
    })
    new CfnImage(this, 'Image', common)
  }
}

function digest(...texts: readonly string[]): string {
  // What the CDK calls a value that it does not know yet is another text at every change of the app.
  const known = texts.map((text) => text.replaceAll(/\$\{Token\[[^\]]*\]\}/g, ''))
  return createHash('sha256').update(JSON.stringify(known)).digest('hex').slice(0, 12)
}
