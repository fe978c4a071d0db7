import { CreateSecurityGroupCommand, CreateSubnetCommand, CreateVpcCommand, EC2Client } from '@aws-sdk/client-ec2'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'

/** What `infra/` makes in a region, as much as the driver needs of it. */
export interface MotoRegion {
  /** For AQUEDUCT_REGIONS; without an endpoint. */
  readonly options: Readonly<Record<string, unknown>>
  /** Of the subnets, by their ids. */
  readonly zones: Readonly<Record<string, string>>
  /** Its value is an image. */
  readonly imageParameter: string
}

/** Any will do for Moto. */
export const motoCredentials = { accessKeyId: 'test', secretAccessKey: 'test' }
const motoImage = 'ami-0123456789abcdef0'

const awsRegion = 'us-east-1'
const zones = ['us-east-1a', 'us-east-1b', 'us-east-1c']
const profile = 'aqueduct-node'

/**
 * Makes a network of loopback addresses, so that what Moto calls a machine's private address can be listened on.
 * @param network the first two bytes of its addresses: `127.61`
 */
export async function makeMotoRegion(url: string, installation: string, network = '127.61'): Promise<MotoRegion> {
  const config = { region: awsRegion, endpoint: url, credentials: motoCredentials }
  const ec2 = new EC2Client(config)
  const ssm = new SSMClient(config)
  try {
    const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: `${network}.0.0/16` }))
    const VpcId = Vpc?.VpcId ?? ''
    const subnets = async (first: number) => {
      const made: { readonly id: string; readonly zone: string }[] = []
      for (const [index, zone] of zones.entries()) {
        const CidrBlock = `${network}.${(first + index) * 16}.0/20`
        const { Subnet } = await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock, AvailabilityZone: zone }))
        made.push({ id: Subnet?.SubnetId ?? '', zone })
      }
      return made
    }
    const group = async (name: string) => {
      const GroupName = `${installation}-${name}`
      const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName, Description: name }))
      return GroupId ?? ''
    }
    await makeInstanceProfile(url)
    const imageParameter = `/${installation}/node-image`
    await ssm.send(new PutParameterCommand({ Name: imageParameter, Value: motoImage, Type: 'String', Overwrite: true }))
    const [nodes, edges] = [await subnets(0), await subnets(3)]
    return {
      options: {
        awsRegion,
        installation,
        subnets: nodes,
        edgeSubnets: edges,
        securityGroups: { node: [await group('node')], edge: [await group('edge')] },
        instanceProfile: `arn:aws:iam::123456789012:instance-profile/${profile}`,
        joinUrls: ['https://127.0.0.1:7097'],
        discoveryUrl: 'https://127.0.0.1:7095',
      },
      zones: Object.fromEntries([...nodes, ...edges].map(({ id, zone }) => [id, zone])),
      imageParameter,
    }
  } finally {
    ec2.destroy()
    ssm.destroy()
  }
}

/** There is no client for IAM here, and Moto goes by the scope of the signature. */
async function makeInstanceProfile(url: string): Promise<void> {
  const form = new URLSearchParams({
    Action: 'CreateInstanceProfile',
    InstanceProfileName: profile,
    Version: '2010-05-08',
  })
  const authorization = 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request'
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await fetch(url, { method: 'POST', headers, body: form.toString() })
  const said = await answer.text()
  if (!answer.ok && !said.includes('EntityAlreadyExists')) throw new Error(`no instance profile: ${said}`)
}
