import {
  type _InstanceType,
  type Address,
  AllocateAddressCommand,
  AssociateAddressCommand,
  DeleteVolumeCommand,
  DescribeAddressesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  DisassociateAddressCommand,
  EC2Client,
  type EC2ClientConfig,
  type Filter,
  type Instance,
  type InstanceStatus,
  ReleaseAddressCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  type Volume as SdkVolume,
  type Tag,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import type {
  Ec2Calls,
  Machine,
  MachineRequest,
  MachineStatus,
  PublicAddress,
  StatusFilter,
  TagFilter,
  Tags,
  Volume,
} from './ec2-calls.ts'
import { ec2Error } from './error-kinds.ts'

export interface SdkAdapterOptions {
  readonly region: string
  /** Absent: AWS' own. */
  readonly endpoint?: string
  /** Absent: the SDK's chain (environment, files, the machine's role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Milliseconds, 15,000 unless said. A call whose answer has not come by then is taken for lost. */
  readonly timeoutMs?: number
}

/** What one page holds at most; EC2 knows no more. */
const pageSize = 1_000

const statusFilters: Readonly<Record<StatusFilter, Filter>> = {
  'with-events': {
    Name: 'event.code',
    Values: ['instance-reboot', 'system-reboot', 'system-maintenance', 'instance-retirement', 'instance-stop'],
  },
  'with-failed-instance-check': { Name: 'instance-status.status', Values: ['impaired'] },
  'with-failed-system-check': { Name: 'system-status.status', Values: ['impaired'] },
}

/** The calls over AWS' SDK, whose types end here. */
export function createSdkAdapter(options: SdkAdapterOptions): Ec2Calls & { close(): void } {
  const { timeoutMs = 15_000, ...client } = options
  const config = {
    ...client,
    // Slows down by itself when AWS says that it is asked too often.
    retryMode: 'adaptive',
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: 5_000, throwOnRequestTimeout: true },
  } satisfies EC2ClientConfig
  const asking = new EC2Client({ ...config, maxAttempts: 3 })
  // What makes something is sent once, and at once: whoever calls has to know when each request was sent and what became of
  // it, and asks again by itself.
  const making = new EC2Client({ ...config, retryMode: 'standard', maxAttempts: 1 })
  const ssm = new SSMClient({ ...config, maxAttempts: 3 })
  return {
    runInstances: (request) =>
      named('launching a machine', async () => {
        const { Instances: [made] = [] } = await making.send(new RunInstancesCommand(runInput(request)))
        if (made === undefined) throw new Error('EC2 names no machine in its answer')
        return machine(made)
      }),
    describeInstances: (input) =>
      named('looking for machines', async () => {
        const page = { Filters: filters(input), MaxResults: pageSize, NextToken: input.next }
        const { Reservations = [], NextToken } = await asking.send(new DescribeInstancesCommand(page))
        const items = Reservations.flatMap(({ Instances = [] }) => Instances.map(machine))
        return { items, ...nextOf(NextToken) }
      }),
    describeInstanceStatus: ({ of, next }) =>
      named('asking how machines are', async () => {
        const page = { Filters: [statusFilters[of]], MaxResults: pageSize, NextToken: next }
        const { InstanceStatuses = [], NextToken } = await asking.send(new DescribeInstanceStatusCommand(page))
        return { items: InstanceStatuses.map(machineStatus), ...nextOf(NextToken) }
      }),
    terminateInstances: ({ ids }) =>
      named('ending a machine', async () => {
        await asking.send(new TerminateInstancesCommand({ InstanceIds: [...ids] }))
      }),
    allocateAddress: ({ tags }) =>
      named('allocating an address', async () => {
        const TagSpecifications = [{ ResourceType: 'elastic-ip' as const, Tags: sdkTags(tags) }]
        const made = await making.send(new AllocateAddressCommand({ Domain: 'vpc', TagSpecifications }))
        return { id: made.AllocationId ?? '', address: made.PublicIp ?? '', tags }
      }),
    associateAddress: ({ addressId, machineId }) =>
      named('leading an address to a machine', async () => {
        const input = { AllocationId: addressId, InstanceId: machineId, AllowReassociation: true }
        await asking.send(new AssociateAddressCommand(input))
      }),
    disassociateAddress: ({ associationId }) =>
      named('taking an address from a machine', async () => {
        await asking.send(new DisassociateAddressCommand({ AssociationId: associationId }))
      }),
    describeAddresses: (input) =>
      named('looking for addresses', async () => {
        const { Addresses = [] } = await asking.send(new DescribeAddressesCommand({ Filters: filters(input) }))
        return Addresses.map(publicAddress)
      }),
    releaseAddress: ({ addressId }) =>
      named('releasing an address', async () => {
        await asking.send(new ReleaseAddressCommand({ AllocationId: addressId }))
      }),
    describeVolumes: (input) =>
      named('looking for volumes', async () => {
        const page = { Filters: filters(input), MaxResults: pageSize, NextToken: input.next }
        const { Volumes = [], NextToken } = await asking.send(new DescribeVolumesCommand(page))
        return { items: Volumes.map(volume), ...nextOf(NextToken) }
      }),
    deleteVolume: ({ volumeId }) =>
      named('deleting a volume', async () => {
        await asking.send(new DeleteVolumeCommand({ VolumeId: volumeId }))
      }),
    getParameter: ({ name }) =>
      named(`reading the parameter ${name}`, async () => {
        const { Parameter } = await ssm.send(new GetParameterCommand({ Name: name }))
        if (Parameter?.Value === undefined) throw new Error('it has no value')
        return Parameter.Value
      }),
    close: () => {
      for (const client of [asking, making, ssm]) client.destroy()
    },
  }
}

async function named<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    throw ec2Error(doing, thrown)
  }
}

function runInput(request: MachineRequest): RunInstancesCommandInput {
  const { clientToken, imageId, subnetId, securityGroups, instanceProfile, kmsKeyId, tags } = request
  return {
    ClientToken: clientToken,
    MinCount: 1,
    MaxCount: 1,
    ImageId: imageId,
    // EC2 has more types than this version of the SDK can name.
    InstanceType: request.instanceType as _InstanceType,
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        SubnetId: subnetId,
        Groups: [...securityGroups],
        // Whatever the subnet says: the only public address of a node is its slot's.
        AssociatePublicIpAddress: false,
        DeleteOnTermination: true,
      },
    ],
    IamInstanceProfile: { Arn: instanceProfile },
    // Version 2 alone, and for the machine itself, not for what it forwards for.
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: 1,
      InstanceMetadataTags: 'disabled',
    },
    BlockDeviceMappings: [
      {
        DeviceName: request.rootDevice,
        Ebs: {
          VolumeType: 'gp3',
          VolumeSize: request.volumeGiB,
          Encrypted: true,
          ...(kmsKeyId === undefined ? {} : { KmsKeyId: kmsKeyId }),
          DeleteOnTermination: true,
        },
      },
    ],
    InstanceInitiatedShutdownBehavior: 'terminate',
    UserData: Buffer.from(request.userData).toString('base64'),
    TagSpecifications: (['instance', 'volume'] as const).map((ResourceType) => ({
      ResourceType,
      Tags: sdkTags(tags),
    })),
  }
}

function filters({ tags }: TagFilter): Filter[] {
  return Object.entries(tags).map(([name, values]) => ({ Name: `tag:${name}`, Values: [...values] }))
}

function nextOf(token: string | undefined): { readonly next?: string } {
  return token === undefined || token === '' ? {} : { next: token }
}

function sdkTags(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

function tagsOf(tags: readonly Tag[] = []): Tags {
  return Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]))
}

function machine(seen: Instance): Machine {
  const { Placement, InstanceType, PrivateIpAddress, PublicIpAddress, StateReason, StateTransitionReason } = seen
  return {
    id: seen.InstanceId ?? '',
    state: seen.State?.Name ?? 'pending',
    reason: StateReason?.Message || StateTransitionReason || '',
    ...(Placement?.AvailabilityZone === undefined ? {} : { zone: Placement.AvailabilityZone }),
    ...(InstanceType === undefined ? {} : { instanceType: InstanceType }),
    ...(PrivateIpAddress === undefined || PrivateIpAddress === '' ? {} : { address: PrivateIpAddress }),
    ...(PublicIpAddress === undefined || PublicIpAddress === '' ? {} : { publicAddress: PublicIpAddress }),
    launchedAt: seen.LaunchTime ?? new Date(0),
    tags: tagsOf(seen.Tags),
  }
}

function machineStatus(seen: InstanceStatus): MachineStatus {
  return {
    machineId: seen.InstanceId ?? '',
    impaired: [seen.InstanceStatus, seen.SystemStatus].some((check) => check?.Status === 'impaired'),
    events: (seen.Events ?? []).map(({ Code, NotBefore, Description = '' }) => ({
      code: Code ?? '',
      description: Description,
      ...(NotBefore === undefined ? {} : { notBefore: NotBefore }),
    })),
  }
}

function publicAddress(seen: Address): PublicAddress {
  return {
    id: seen.AllocationId ?? '',
    address: seen.PublicIp ?? '',
    tags: tagsOf(seen.Tags),
    ...(seen.InstanceId === undefined || seen.InstanceId === '' ? {} : { machineId: seen.InstanceId }),
    ...(seen.AssociationId === undefined || seen.AssociationId === '' ? {} : { associationId: seen.AssociationId }),
  }
}

function volume(seen: SdkVolume): Volume {
  return {
    id: seen.VolumeId ?? '',
    available: seen.State === 'available',
    tags: tagsOf(seen.Tags),
    ...(seen.CreateTime === undefined ? {} : { createdAt: seen.CreateTime }),
  }
}
