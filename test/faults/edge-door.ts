import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { nodesOf } from './nodes.ts'
import type { ProductUnderFault } from './product-under-fault.ts'

const lookMs = 200

/**
 * What DNS is to a customer: one address that leads each new connection to an edge that serves. Connections to an edge that
 * goes break with it, and come in again here.
 */
export class EdgeDoor {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #looking: NodeJS.Timeout
  #edges: readonly string[] = []
  #turn = 0

  static async open(product: ProductUnderFault): Promise<EdgeDoor> {
    const door = new EdgeDoor(product)
    await door.#look(product)
    door.#server.listen(0, '127.0.0.1')
    await once(door.#server, 'listening')
    return door
  }

  private constructor(product: ProductUnderFault) {
    this.#server = createServer((client) => this.#lead(client))
    // The control plane may be away; then names stay as they are.
    this.#looking = setInterval(() => void this.#look(product).catch(() => undefined), lookMs)
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    clearInterval(this.#looking)
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #look(product: ProductUnderFault): Promise<void> {
    const nodes = await nodesOf(product)
    const edges = nodes.filter((node) => node.state === 'ready' && (node.role === 'all' || node.role === 'edge'))
    if (edges.length > 0) this.#edges = edges.map(({ address }) => address)
  }

  #lead(client: Socket): void {
    this.#turn += 1
    const edge = connect({ host: this.#edges[this.#turn % this.#edges.length] ?? '', port: 7233 })
    for (const [one, other] of [
      [client, edge],
      [edge, client],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }
}
