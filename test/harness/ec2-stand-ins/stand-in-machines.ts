import { setTimeout as delay } from 'node:timers/promises'
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  EC2Client,
  type Instance,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { motoCredentials } from '../moto-region.ts'
import type { MemoryMailbox } from './memory-mailbox.ts'

/** How far a machine comes by itself: what comes after is not done. */
export type BootPhase = 'launched' | 'joined' | 'configured'

/**
 * What happens on the machines that Moto only claims to run: each reads its user data, joins, takes its manifest from the
 * mailbox, and reports ready.
 */
export class StandInMachines {
  readonly #ec2: EC2Client
  readonly #ssm: SSMClient
  readonly #mailbox: MemoryMailbox
  readonly #nodes = new Map<string, string>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(motoUrl: string, mailbox: MemoryMailbox) {
    const config = { region: 'us-east-1', endpoint: motoUrl, credentials: motoCredentials }
    this.#ec2 = new EC2Client(config)
    this.#ssm = new SSMClient(config)
    this.#mailbox = mailbox
  }

  /** What there really is of a node, whatever anybody is shown: machines that have not ended. */
  async really(nodeId: string): Promise<readonly Instance[]> {
    const filters = [
      { Name: 'tag:aqueduct:node', Values: [nodeId] },
      { Name: 'instance-state-name', Values: ['pending', 'running', 'stopping', 'stopped'] },
    ]
    const { Reservations = [] } = await this.#ec2.send(new DescribeInstancesCommand({ Filters: filters }))
    return Reservations.flatMap(({ Instances = [] }) => Instances)
  }

  /** Makes one more machine with the tags of this one, as a launch that was done twice would. */
  async duplicate(instanceId: string): Promise<string> {
    const { Reservations = [] } = await this.#ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] }))
    const [one] = Reservations.flatMap(({ Instances = [] }) => Instances)
    const input = { MinCount: 1, MaxCount: 1, ImageId: one?.ImageId, SubnetId: one?.SubnetId }
    const TagSpecifications = [{ ResourceType: 'instance' as const, Tags: one?.Tags ?? [] }]
    const { Instances = [] } = await this.#ec2.send(new RunInstancesCommand({ ...input, TagSpecifications }))
    return Instances[0]?.InstanceId ?? ''
  }

  async setParameter(name: string, value: string): Promise<void> {
    await this.#ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: 'String', Overwrite: true }))
  }

  /** Lets every machine that runs come as far as that. */
  async boot(upTo: BootPhase = 'configured'): Promise<void> {
    const running = [{ Name: 'instance-state-name', Values: ['running'] }]
    const { Reservations = [] } = await this.#ec2.send(
      new DescribeInstancesCommand({ MaxResults: 1_000, Filters: running }),
    )
    for (const { InstanceId = '' } of Reservations.flatMap(({ Instances = [] }) => Instances)) {
      const nodeId = await this.#nodeOf(InstanceId)
      if (nodeId === undefined || upTo === 'launched') continue
      const manifest = upTo === 'configured' ? this.#mailbox.manifest(nodeId) : undefined
      const state = manifest === undefined ? 'starting' : 'ready'
      this.#mailbox.report(nodeId, { state, generation: manifest?.generation ?? -1, detail: '' })
    }
  }

  /** Keeps booting whatever comes, until `stop`. */
  start(): void {
    const { signal } = this.#stopping
    this.#running = (async () => {
      while (!signal.aborted) {
        await this.boot()
        await delay(20, undefined, { signal }).catch(() => undefined)
      }
    })()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#ec2.destroy()
    this.#ssm.destroy()
  }

  async #nodeOf(instanceId: string): Promise<string | undefined> {
    const known = this.#nodes.get(instanceId)
    if (known !== undefined) return known
    const attribute = { InstanceId: instanceId, Attribute: 'userData' as const }
    const { UserData } = await this.#ec2.send(new DescribeInstanceAttributeCommand(attribute))
    const written = Buffer.from(UserData?.Value ?? '', 'base64').toString('utf8')
    // Somebody's own machine has other user data, or none.
    if (!written.startsWith('{')) return undefined
    const { nodeId } = JSON.parse(written) as { readonly nodeId: string }
    this.#nodes.set(instanceId, nodeId)
    return nodeId
  }
}
