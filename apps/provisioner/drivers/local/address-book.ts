import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { acquireLock } from '#libs/processes'
import { DriverError } from '../contract.ts'

export interface AddressBookOptions {
  /** One file an address, named by it and holding the node's id. */
  readonly dir: string
  /** First two octets; by default derived from `dir`, so that two installations on one machine keep apart. */
  readonly prefix: string | undefined
  readonly ports: readonly number[]
}

const prefixPattern = /^127\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/
const lockTimeoutMs = 30_000

/** Which node has which loopback address. All of 127.0.0.0/8 is this machine on Linux, without any setup. */
export class AddressBook {
  readonly #dir: string
  readonly #prefix: string
  readonly #ports: readonly number[]

  constructor(options: AddressBookOptions) {
    this.#dir = options.dir
    this.#prefix = options.prefix ?? defaultPrefix(options.dir)
    this.#ports = options.ports
    if (!prefixPattern.test(this.#prefix)) {
      throw new Error(`addressPrefix must be two octets of the loopback net, as in 127.77, not ${this.#prefix}`)
    }
  }

  /** @throws DriverError of kind `no_capacity` when every address is taken. */
  async reserve(nodeId: string): Promise<string> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const lock = await acquireLock(`addresses ${this.#dir}`, lockTimeoutMs)
    try {
      const taken = await this.#taken()
      const own = [...taken].find(([, owner]) => owner === nodeId)
      if (own !== undefined) return own[0]
      for (const address of addresses(this.#prefix)) {
        if (taken.has(address) || !(await allFree(address, this.#ports))) continue
        await this.#write(address, nodeId)
        return address
      }
      throw new DriverError('no_capacity', `every address of ${this.#prefix}.0.0/16 is taken`)
    } finally {
      await lock.release()
    }
  }

  async release(nodeId: string): Promise<void> {
    for (const [address, owner] of await this.#taken()) {
      if (owner === nodeId) await rm(join(this.#dir, address), { force: true })
    }
  }

  async #taken(): Promise<ReadonlyMap<string, string>> {
    const names = await readdir(this.#dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const taken = new Map<string, string>()
    for (const name of names) {
      const owner = await readFile(join(this.#dir, name), 'utf8').catch(() => undefined)
      if (owner !== undefined) taken.set(name, owner)
    }
    return taken
  }

  /** `wx`: should the lock ever fail, one of two still loses. */
  async #write(address: string, nodeId: string): Promise<void> {
    const file = await open(join(this.#dir, address), 'wx', 0o600)
    try {
      await file.writeFile(nodeId)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

function defaultPrefix(dir: string): string {
  return `127.${64 + (createHash('sha256').update(dir).digest().readUInt32BE(0) % 128)}`
}

function* addresses(prefix: string): Generator<string> {
  for (let third = 0; third < 256; third++) {
    for (let fourth = 1; fourth < 255; fourth++) yield `${prefix}.${third}.${fourth}`
  }
}

/** Whether nobody on this machine listens on any of the ports there: found out by listening. */
async function allFree(address: string, ports: readonly number[]): Promise<boolean> {
  for (const port of ports) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)))
    })
    if (!free) return false
  }
  return true
}
