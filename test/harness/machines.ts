import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  DescribeAddressesCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  EC2Client,
  type Instance,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { nodePorts } from '#libs/domain/nodes'
import { agentMark, allGone, findAgents, findNodeProcesses, signalProcess } from '#libs/processes'
import { MetadataServer } from './metadata-server.ts'
import { motoCredentials } from './moto-region.ts'

interface Machine {
  readonly folder: string
  readonly metadata: MetadataServer
  readonly agent: ChildProcess
}

const pollMs = 200
const shutdownMs = 30_000

/**
 * Boots every machine that EC2 says is there: what its image would start, with the machine's own user data and metadata, at
 * its private address, which is one of loopback. A public address leads to the machine that it is associated with. What EC2
 * says is gone is shut down.
 */
export class Machines {
  readonly #ec2: EC2Client
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'machines-')))
  readonly #machines = new Map<string, Machine>()
  readonly #doors = new Map<string, { readonly server: Server; target: string }>()
  readonly #ending = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failure: unknown

  private constructor(url: string) {
    this.#ec2 = new EC2Client({ region: 'us-east-1', endpoint: url, credentials: motoCredentials })
  }

  /** @param url of Moto itself: what a test does to the provisioner's calls does not reach the machines. */
  static start(url: string): Machines {
    const machines = new Machines(url)
    machines.#running = machines.#run()
    return machines
  }

  /** How many were booted, ever. */
  get booted(): number {
    return this.#machines.size
  }

  /** Private and public addresses and ids of machines that EC2 calls running, of one cell or of all. */
  async list(): Promise<readonly Instance[]> {
    const { Reservations = [] } = await this.#ec2.send(new DescribeInstancesCommand({}))
    return Reservations.flatMap(({ Instances = [] }) => Instances)
  }

  /** Pulls the plug: nothing on it gets to say a word, and EC2 notices. */
  async unplug(machineId: string): Promise<void> {
    const machine = this.#machines.get(machineId)
    if (machine === undefined) throw new Error(`${machineId} was not booted`)
    await kill(machine)
    await this.#ec2.send(new TerminateInstancesCommand({ InstanceIds: [machineId] }))
  }

  /** What AWS says to a machine two minutes before it takes it. */
  interrupt(machineId: string, at: Date): void {
    const machine = this.#machines.get(machineId)
    if (machine === undefined) throw new Error(`${machineId} was not booted`)
    machine.metadata.interrupt(at.toISOString())
  }

  /** The agent's log of every machine, for a test that failed. */
  logs(): string {
    return [...this.#machines]
      .map(([id, { folder }]) => `--- ${id}\n${readFileSync(join(folder, 'agent.log'), 'utf8').slice(0, 4_000)}`)
      .join('\n')
  }

  /** Ends all of them. @throws what went wrong while they ran */
  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await Promise.all([...this.#machines.values()].map(shutDown))
    for (const { server } of this.#doors.values()) server.close()
    this.#ec2.destroy()
    rmSync(this.#folder, { recursive: true, force: true })
    if (this.#failure !== undefined) throw this.#failure
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        await this.#look()
      } catch (thrown) {
        if (!this.#ending.signal.aborted) this.#failure ??= thrown
      }
      await delay(pollMs, undefined, { signal: this.#ending.signal }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const instances = await this.list()
    for (const instance of instances) {
      const id = instance.InstanceId ?? ''
      const isRunning = instance.State?.Name === 'running' || instance.State?.Name === 'pending'
      const machine = this.#machines.get(id)
      if (isRunning && machine === undefined) this.#machines.set(id, await this.#boot(id, instance))
      if (!isRunning && machine !== undefined) void shutDown(machine)
    }
    await this.#leadAddresses(instances)
  }

  async #boot(machineId: string, { PrivateIpAddress: address = '' }: Instance): Promise<Machine> {
    const { UserData } = await this.#ec2.send(
      new DescribeInstanceAttributeCommand({ InstanceId: machineId, Attribute: 'userData' }),
    )
    const userData = Buffer.from(UserData?.Value ?? '', 'base64').toString('utf8')
    const metadata = await MetadataServer.start({ machineId, address, userData })
    const folder = join(this.#folder, machineId)
    mkdirSync(join(folder, 'node'), { recursive: true, mode: 0o700 })
    const log = openSync(join(folder, 'agent.log'), 'a', 0o600)
    const agent = spawn(process.execPath, ['apps/node/main.ts', '--join', join(folder, 'node')], {
      cwd: resolve(import.meta.dirname, '../..'),
      stdio: ['ignore', log, log],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        AQUEDUCT_METADATA_URL: metadata.url,
        [agentMark]: join(folder, 'node'),
      },
    })
    return { folder, metadata, agent }
  }

  /** As the internet gateway does: what comes for a public address goes to the machine that has it now. */
  async #leadAddresses(instances: readonly Instance[]): Promise<void> {
    const { Addresses = [] } = await this.#ec2.send(new DescribeAddressesCommand({}))
    for (const { PublicIp = '', InstanceId } of Addresses) {
      const target = instances.find((instance) => instance.InstanceId === InstanceId)?.PrivateIpAddress
      const door = this.#doors.get(PublicIp)
      if (target === undefined || door?.target === target) continue
      if (door === undefined) this.#doors.set(PublicIp, await openDoor(PublicIp, target))
      else door.target = target
    }
  }
}

async function openDoor(address: string, first: string): Promise<{ readonly server: Server; target: string }> {
  const door = { server: createServer(), target: first }
  door.server.on('connection', (client: Socket) => {
    const machine = connect({ host: door.target, port: nodePorts.edge })
    for (const [one, other] of [
      [client, machine],
      [machine, client],
    ] as const) {
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  door.server.listen(nodePorts.edge, address)
  await once(door.server, 'listening')
  return door
}

/** In order, as the system does when the machine is terminated; what does not end is ended. */
async function shutDown(machine: Machine): Promise<void> {
  const { agent, metadata } = machine
  if (agent.exitCode === null && agent.signalCode === null) {
    const ended = once(agent, 'exit')
    agent.kill('SIGTERM')
    await Promise.race([ended, delay(shutdownMs, undefined, { ref: false })])
  }
  await kill(machine)
  await metadata.close().catch(() => undefined)
}

async function kill({ folder }: Machine): Promise<void> {
  const node = join(folder, 'node')
  const processes = [...(await findAgents(node)), ...findNodeProcesses(node)]
  for (const identity of processes) signalProcess(identity, 'SIGKILL')
  await allGone(processes, 5_000)
}
