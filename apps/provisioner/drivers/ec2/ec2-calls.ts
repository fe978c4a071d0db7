/**
 * Everything that the driver calls in AWS, by the names that IAM has for it. `infra/` grants exactly these, and the adapter
 * has a method for each: a call that is not here cannot be made.
 */
export const ec2Calls = [
  'ec2:RunInstances',
  // Never called by itself: tags come with what is made, and IAM asks for this then.
  'ec2:CreateTags',
  'ec2:DescribeInstances',
  'ec2:DescribeInstanceStatus',
  'ec2:TerminateInstances',
  'ec2:AllocateAddress',
  'ec2:AssociateAddress',
  'ec2:DisassociateAddress',
  'ec2:DescribeAddresses',
  'ec2:ReleaseAddress',
  'ec2:DescribeVolumes',
  'ec2:DeleteVolume',
  'ssm:GetParameter',
] as const

type Ec2CallName = Exclude<(typeof ec2Calls)[number], 'ec2:CreateTags'>

/** The calls as methods: `ec2:RunInstances` is `runInstances`. */
export type Ec2Calls = {
  readonly [Name in Ec2CallName as Name extends `${string}:${infer Action}` ? Uncapitalize<Action> : never]: (
    input: Shapes[Name]['input'],
  ) => Promise<Shapes[Name]['output']>
}

/** What goes in and comes out, in our own words. Every call throws Ec2Error and nothing else. */
interface Shapes extends Record<Ec2CallName, { readonly input: object; readonly output: unknown }> {
  'ec2:RunInstances': { input: MachineRequest; output: Machine }
  'ec2:DescribeInstances': { input: TagFilter & PageRequest; output: Page<Machine> }
  'ec2:DescribeInstanceStatus': { input: { readonly of: StatusFilter } & PageRequest; output: Page<MachineStatus> }
  'ec2:TerminateInstances': { input: { readonly ids: readonly string[] }; output: void }
  'ec2:AllocateAddress': { input: { readonly tags: Tags }; output: PublicAddress }
  'ec2:AssociateAddress': { input: { readonly addressId: string; readonly machineId: string }; output: void }
  'ec2:DisassociateAddress': { input: { readonly associationId: string }; output: void }
  'ec2:DescribeAddresses': { input: TagFilter; output: readonly PublicAddress[] }
  'ec2:ReleaseAddress': { input: { readonly addressId: string }; output: void }
  'ec2:DescribeVolumes': { input: TagFilter & PageRequest; output: Page<Volume> }
  'ec2:DeleteVolume': { input: { readonly volumeId: string }; output: void }
  'ssm:GetParameter': { input: { readonly name: string }; output: string }
}

export type Tags = Readonly<Record<string, string>>

/** Has each of these tags, with one of its values: EC2 takes 200 values at most. */
export interface TagFilter {
  readonly tags: Readonly<Record<string, readonly string[]>>
}

interface PageRequest {
  /** Of the page before. */
  readonly next?: string
}

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly next?: string
}

/** One machine, with everything that it is launched with. */
export interface MachineRequest {
  readonly clientToken: string
  readonly imageId: string
  readonly instanceType: string
  readonly subnetId: string
  readonly securityGroups: readonly string[]
  readonly instanceProfile: string
  readonly rootDevice: string
  readonly volumeGiB: number
  readonly kmsKeyId?: string
  /** As it is to be read on the machine. */
  readonly userData: string
  /** Of the machine and of its volume. */
  readonly tags: Tags
}

export interface Machine {
  readonly id: string
  readonly state: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped'
  /** Why it is in that state, where EC2 says it. */
  readonly reason: string
  readonly zone?: string
  readonly instanceType?: string
  readonly address?: string
  readonly publicAddress?: string
  readonly launchedAt: Date
  readonly tags: Tags
}

/** Which of a region's machines: EC2 knows no tags here, and those that have something to say are few. */
export type StatusFilter = 'with-events' | 'with-failed-instance-check' | 'with-failed-system-check'

export interface MachineStatus {
  readonly machineId: string
  readonly impaired: boolean
  readonly events: readonly { readonly code: string; readonly notBefore?: Date; readonly description: string }[]
}

export interface PublicAddress {
  readonly id: string
  readonly address: string
  readonly tags: Tags
  readonly machineId?: string
  readonly associationId?: string
}

export interface Volume {
  readonly id: string
  /** Attached to nothing. */
  readonly available: boolean
  readonly createdAt?: Date
  readonly tags: Tags
}
