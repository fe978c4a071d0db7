import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Clock } from '#libs/base'
import { ClientTokens } from './client-tokens.ts'
import { Faults } from './faults.ts'
import { Instances } from './instances.ts'
import { listOf, type Query, type Refusal, readQuery, refusalXml, textOf } from './query.ts'

export interface FaultProxyOptions {
  /** Moto's base URL. */
  readonly upstream: string
  /** The zone of each subnet: client tokens and capacity are by zone. */
  readonly zones: Readonly<Record<string, string>>
  /** What "30 seconds later" is counted by. */
  readonly clock: Clock
}

export interface ProxyCall {
  readonly action: string
  readonly params: URLSearchParams
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** Stands before Moto, is in its way like EC2, and keeps client tokens as EC2 does. */
export class FaultProxy {
  readonly faults = new Faults()
  readonly instances: Instances
  /** Every EC2 call that came, in its order. */
  readonly calls: ProxyCall[] = []
  readonly #options: FaultProxyOptions
  readonly #tokens = new ClientTokens()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #deaf = new Set<string>()
  #terminating: Promise<unknown> = Promise.resolve()

  private constructor(options: FaultProxyOptions) {
    this.#options = options
    this.instances = new Instances(() => options.clock.now().getTime())
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  count(action: string): number {
    return this.calls.filter((call) => call.action === action).length
  }

  /** Terminations of this machine are answered and have no effect, until `hear`. */
  ignoreTermination(instanceId: string): void {
    this.#deaf.add(instanceId)
  }

  hear(instanceId: string): void {
    this.#deaf.delete(instanceId)
  }

  /** No client token is known any more. */
  forgetTokens(): void {
    this.#tokens.forget()
  }

  /** The machine dies, and nobody asked for it. */
  async kill(instanceId: string): Promise<void> {
    await this.#direct('TerminateInstances', { 'InstanceId.1': instanceId })
    this.#tokens.ended(instanceId)
  }

  /** The machine is stopped, and nobody asked for it. */
  async halt(instanceId: string): Promise<void> {
    await this.#direct('StopInstances', { 'InstanceId.1': instanceId })
  }

  async #direct(action: string, params: Readonly<Record<string, string>>): Promise<string> {
    const form = new URLSearchParams({ Action: action, Version: '2016-11-15', ...params })
    const scope = 'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ec2/aws4_request'
    const headers = { authorization: scope, 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(this.#options.upstream, { method: 'POST', headers, body: form.toString() })
    const body = await answer.text()
    if (!answer.ok) throw new Error(`${action}: ${body}`)
    return body
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await text(request)
      const query = readQuery(request.headers['content-type'], body)
      const send = () => this.#forward(request, body)
      const answer = query === undefined ? await send() : await this.#disturbed(query, send)
      if (answer === 'cut') {
        request.socket.destroy()
        return
      }
      const isXml = query !== undefined
      response.writeHead(answer.status, { 'content-type': isXml ? 'text/xml' : 'application/x-amz-json-1.1' })
      response.end('code' in answer ? refusalXml(answer) : answer.body)
    } catch (thrown) {
      response.writeHead(500).end(String(thrown))
    }
  }

  async #disturbed(query: Query, send: () => Promise<Answer>): Promise<Answer | Refusal | 'cut'> {
    const { action, params } = query
    this.calls.push({ action, params })
    await this.faults.pass(action)
    const before = this.faults.take(action, 'before')
    if (before !== undefined) return before
    const answer = await this.#effect(query, send)
    return this.faults.take(action, 'after') ?? answer
  }

  async #effect({ action, params }: Query, send: () => Promise<Answer>): Promise<Answer | Refusal> {
    switch (action) {
      case 'RunInstances':
        return this.#run(params, send)
      case 'TerminateInstances':
        return this.#terminate(params, send)
      case 'DescribeInstanceStatus':
        return { status: 200, body: this.instances.statusXml(params.get('Filter.1.Name') ?? '') }
      default: {
        const answer = await send()
        if (action === 'AllocateAddress') this.instances.made(textOf(answer.body, 'allocationId') ?? '')
        return { ...answer, body: this.instances.shown(action, answer.body) }
      }
    }
  }

  async #run(params: URLSearchParams, send: () => Promise<Answer>): Promise<Answer | Refusal> {
    const subnet = params.get('NetworkInterface.1.SubnetId') ?? params.get('SubnetId') ?? ''
    const zone = this.#options.zones[subnet] ?? ''
    const instanceType = params.get('InstanceType') ?? ''
    return this.#tokens.once(zone, params, async () => {
      if (this.faults.isFull(zone, instanceType)) {
        const message = `We currently do not have sufficient ${instanceType} capacity in ${zone}.`
        return { status: 500, body: refusalXml({ status: 500, code: 'InsufficientInstanceCapacity', message }) }
      }
      const answer = await send()
      if (answer.status === 200) this.instances.made(textOf(answer.body, 'instanceId') ?? '')
      return answer
    })
  }

  async #terminate(params: URLSearchParams, send: () => Promise<Answer>): Promise<Answer | Refusal> {
    const ids = listOf(params, 'InstanceId')
    const hidden = ids.find((id) => this.instances.isHidden(id))
    if (hidden !== undefined) {
      return { status: 400, code: 'InvalidInstanceID.NotFound', message: `The instance ID '${hidden}' does not exist` }
    }
    // One at a time, and each machine once: Moto fails over its own network interfaces otherwise, where EC2 agrees.
    const turn = this.#terminating.then(async (): Promise<Answer> => {
      const isNothing = ids.every((id) => this.#deaf.has(id) || this.#tokens.isEnded(id))
      if (isNothing) {
        return { status: 200, body: '<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>' }
      }
      const answer = await send()
      if (answer.status === 200) for (const id of ids) this.#tokens.ended(id)
      return answer
    })
    this.#terminating = turn.catch(() => undefined)
    return turn
  }

  async #forward({ url = '/', method = 'POST', headers }: IncomingMessage, body: string): Promise<Answer> {
    const answer = await fetch(`${this.#options.upstream}${url}`, { method, headers: passedOn(headers), body })
    return { status: answer.status, body: await answer.text() }
  }
}

/** Moto goes by the service that a request is signed for, and by a JSON call's target; the rest is about the connection. */
function passedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const names = ['authorization', 'content-type', 'x-amz-target', 'x-amz-date']
  return Object.fromEntries(names.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])))
}
