import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Machine {
  readonly machineId: string
  readonly address: string
  readonly userData: string
}

/** What one machine is told about itself: EC2's instance metadata service, version 2 alone, on a port of its own. */
export class MetadataServer {
  /** Paths below `/latest/` and what they say; tests change them as they go. */
  readonly texts: Map<string, string>
  /** For AQUEDUCT_METADATA_URL. */
  url = ''
  readonly #tokens = new Set<string>()
  readonly #server = createServer((request, response) => this.#answer(request, response))

  private constructor({ machineId, address, userData }: Machine) {
    this.texts = new Map([
      ['meta-data/instance-id', machineId],
      ['meta-data/local-ipv4', address],
      ['user-data', userData],
    ])
  }

  static async start(machine: Machine): Promise<MetadataServer> {
    const server = new MetadataServer(machine)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    server.url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`
    return server
  }

  /** What a spot machine hears two minutes before it is taken. */
  interrupt(time: string): void {
    this.texts.set('meta-data/spot/instance-action', JSON.stringify({ action: 'terminate', time }))
  }

  /** As after hours: who still has one has to ask for another. */
  forgetTokens(): void {
    this.#tokens.clear()
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, text = '') => response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
    const { method, url = '', headers } = request
    // As the real one does: a proxy that can be made to fetch addresses gets no token.
    if (headers['x-forwarded-for'] !== undefined) return void say(403)
    if (method === 'PUT' && url === '/latest/api/token') {
      if (!/^\d+$/.test(String(headers['x-aws-ec2-metadata-token-ttl-seconds']))) return void say(400)
      const token = randomUUID()
      this.#tokens.add(token)
      return void say(200, token)
    }
    if (!this.#tokens.has(String(headers['x-aws-ec2-metadata-token']))) return void say(401)
    const text = method === 'GET' ? this.texts.get(url.replace('/latest/', '')) : undefined
    return void (text === undefined ? say(404) : say(200, text))
  }
}
