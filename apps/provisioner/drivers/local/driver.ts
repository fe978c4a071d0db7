import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeManifest, NodeStatus } from '#libs/domain/nodes'
import { acquireLock, agentPidFile, isRunning, readPidFile, writeFileAtomic } from '#libs/processes'
import {
  DriverError,
  type DriverResource,
  type NodeDriver,
  type NodeExposure,
  type NodeInstance,
  type NodeLaunch,
} from '../contract.ts'
import { AddressBook } from './address-book.ts'
import { endAgent, startAgent } from './agent-process.ts'
import { readStatus } from './status-file.ts'

export interface LocalDriverOptions {
  /** Absolute path: every node has a folder of its own in it. */
  readonly nodesDir: string
  /** Absolute path of `apps/node/main.ts`. */
  readonly agentMain: string
  /** The Node binary that runs agents: `process.execPath`. */
  readonly nodeBinary: string
  /** Of the agents: `info` by default. */
  readonly logLevel?: string
  /** First two octets of the nodes' addresses, `127.77`; by default derived from `nodesDir`. */
  readonly addressPrefix?: string
  /** TCP ports that nodes listen on: an address where somebody else has one of them is not given out. */
  readonly ports: readonly number[]
}

/** What the driver itself knows of a node, written before anything else and removed last. */
interface NodeRecord {
  readonly nodeId: string
  readonly cellId: string
  readonly address: string
  readonly createdAt: string
}

/** Node ids name folders: nothing else than what `newId` makes comes near a path. */
const nodeIdPattern = /^[a-z0-9][a-z0-9-]{0,62}$/
const lockTimeoutMs = 120_000

/** Nodes as processes of this machine, each under an agent of its own that outlives the provisioner. */
export class LocalDriver implements NodeDriver {
  readonly name = 'local'
  readonly #options: LocalDriverOptions
  readonly #addresses: AddressBook

  constructor(options: LocalDriverOptions) {
    this.#options = options
    this.#addresses = new AddressBook({
      dir: join(options.nodesDir, '.addresses'),
      prefix: options.addressPrefix,
      ports: options.ports,
    })
  }

  async launch({ nodeId, cellId }: NodeLaunch): Promise<NodeInstance> {
    checkNodeId(nodeId)
    return this.#locked(nodeId, async () => {
      const dir = this.#dir(nodeId)
      if ((await readRecord(dir)) === undefined) {
        const address = await this.#addresses.reserve(nodeId)
        await mkdir(dir, { recursive: true, mode: 0o700 })
        const record: NodeRecord = { nodeId, cellId, address, createdAt: new Date().toISOString() }
        await writeFileAtomic(join(dir, 'node.json'), JSON.stringify(record), { mode: 0o600, durable: true })
      }
      return this.get(nodeId)
    })
  }

  async configure(manifest: NodeManifest): Promise<void> {
    const { nodeId, address } = manifest
    checkNodeId(nodeId)
    await this.#locked(nodeId, async () => {
      const dir = this.#dir(nodeId)
      const record = await readRecord(dir)
      if (record === undefined) throw new DriverError('not_found', `there is no node ${nodeId}`)
      if (record.address !== address) {
        throw new DriverError('denied', `the address of ${nodeId} is ${record.address}, not ${JSON.stringify(address)}`)
      }
      if (((await readGeneration(dir)) ?? -1) < manifest.generation) {
        const content = JSON.stringify(manifest)
        await writeFileAtomic(join(dir, 'manifest.json'), content, { mode: 0o600, durable: true })
      }
      await startAgent({
        dir,
        agentMain: this.#options.agentMain,
        nodeBinary: this.#options.nodeBinary,
        logLevel: this.#options.logLevel ?? 'info',
      })
    })
  }

  async get(nodeId: string): Promise<NodeInstance> {
    checkNodeId(nodeId)
    const dir = this.#dir(nodeId)
    const record = await readRecord(dir)
    if (record === undefined) throw new DriverError('not_found', `there is no node ${nodeId}`)
    const isConfigured = (await readGeneration(dir)) !== undefined
    const status = await readStatus(dir)
    const agent = await readPidFile(agentPidFile(dir))
    const agentRuns = agent !== undefined && isRunning(agent)
    return {
      nodeId: record.nodeId,
      cellId: record.cellId,
      machineId: record.nodeId,
      address: record.address,
      publicAddress: record.address,
      // Without an agent nobody keeps to a manifest, whatever still runs: to create it again heals it, and adopts that.
      generation: agentRuns ? (status?.generation ?? -1) : -1,
      ...(isConfigured ? summary(status, agentRuns, dir) : { state: 'starting', detail: 'it waits for its manifest' }),
      createdAt: new Date(record.createdAt),
    }
  }

  async list(): Promise<readonly NodeInstance[]> {
    const names = await readdir(this.#options.nodesDir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const nodes: NodeInstance[] = []
    for (const name of names.filter((candidate) => nodeIdPattern.test(candidate))) {
      try {
        nodes.push(await this.get(name))
      } catch (thrown) {
        // Deleted since the folder was read.
        if (!(thrown instanceof DriverError && thrown.kind === 'not_found')) throw thrown
      }
    }
    return nodes
  }

  async delete(nodeId: string): Promise<void> {
    checkNodeId(nodeId)
    await this.#locked(nodeId, async () => {
      const dir = this.#dir(nodeId)
      await endAgent(dir, await stopTime(dir))
      // Nobody listens there any more.
      await this.#addresses.release(nodeId)
      // The record goes last, so that a crash in between leaves a node that list() shows.
      for (const name of await entries(dir)) {
        if (name !== 'node.json') await rm(join(dir, name), { recursive: true, force: true })
      }
      await rm(dir, { recursive: true, force: true })
    })
  }

  /** Nodes are reached at their own addresses, which go with them. */
  async expose({ nodeId }: NodeExposure): Promise<string> {
    checkNodeId(nodeId)
    const record = await readRecord(this.#dir(nodeId))
    if (record === undefined) throw new DriverError('not_found', `there is no node ${nodeId}`)
    return record.address
  }

  async releaseAddresses(): Promise<void> {
    // There are none but the nodes' own.
  }

  async listResources(): Promise<readonly DriverResource[]> {
    return []
  }

  async deleteResource(): Promise<void> {
    // There are none to delete.
  }

  #dir(nodeId: string): string {
    return join(this.#options.nodesDir, nodeId)
  }

  /** One provisioner at a time works on a node. */
  async #locked<Result>(nodeId: string, work: () => Promise<Result>): Promise<Result> {
    const lock = await acquireLock(`local-driver ${this.#dir(nodeId)}`, lockTimeoutMs)
    try {
      return await work()
    } finally {
      await lock.release()
    }
  }
}

function checkNodeId(nodeId: string): void {
  if (!nodeIdPattern.test(nodeId)) throw new DriverError('denied', `${JSON.stringify(nodeId)} is not a node id`)
}

function summary(
  status: NodeStatus | undefined,
  agentRuns: boolean,
  dir: string,
): Pick<NodeInstance, 'state' | 'detail'> {
  if (!agentRuns) return { state: 'stopped', detail: `no agent runs it; its last words are in ${dir}/log/agent.log` }
  if (status === undefined) return { state: 'starting', detail: `its agent has begun; see ${dir}/log/agent.log` }
  // Written by an agent that was ended: the one that runs now has not said anything yet.
  if (status.state === 'stopped') return { state: 'starting', detail: 'its agent takes up the manifest' }
  return { state: status.state, detail: status.detail === '' ? '' : `${status.detail} (in ${dir})` }
}

async function readRecord(dir: string): Promise<NodeRecord | undefined> {
  const value = await readJson(join(dir, 'node.json'))
  if (typeof value !== 'object' || value === null) return undefined
  const { nodeId, cellId, address, createdAt } = value as Record<string, unknown>
  if (typeof nodeId !== 'string' || typeof cellId !== 'string') return undefined
  if (typeof address !== 'string' || typeof createdAt !== 'string') return undefined
  return { nodeId, cellId, address, createdAt }
}

async function readGeneration(dir: string): Promise<number | undefined> {
  const value = await readJson(join(dir, 'manifest.json'))
  if (typeof value !== 'object' || value === null || !('generation' in value)) return undefined
  return typeof value.generation === 'number' ? value.generation : undefined
}

/** Milliseconds that the node's processes may take to stop, one after the other. */
async function stopTime(dir: string): Promise<number> {
  const value = await readJson(join(dir, 'manifest.json'))
  if (typeof value !== 'object' || value === null || !('processes' in value)) return 0
  if (!Array.isArray(value.processes)) return 0
  return value.processes.reduce((sum: number, process: { stopMs?: unknown }) => sum + Number(process.stopMs ?? 0), 0)
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined
  }
}

async function entries(dir: string): Promise<readonly string[]> {
  const there = await stat(dir).catch(() => undefined)
  return there === undefined ? [] : readdir(dir)
}
