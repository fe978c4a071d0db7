/**
 * One tenant that calls as fast as it can, in a process of its own at the lowest priority: on a machine whose cores are
 * shared with the servers, what it takes from them must not be taken for what it does to them. It floods from the
 * message of its parent that says how until the one that says `stop`, and answers with what it was answered.
 */
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { constants, setPriority } from 'node:os'
import { coerceError } from '#libs/base'
import { rpcNamed } from '#libs/cloud-api'
import { http2Caller } from './http2-caller.ts'
import type { GrpcEndpoint } from './job.ts'

export interface FloodJob {
  /** Base URL of the REST API. */
  readonly http: string
  readonly grpc: GrpcEndpoint
  readonly token: string
  /** Over REST: one call in flight each. Half of the calls are mutations. */
  readonly restConnections: number
  readonly grpcConnections: number
  readonly streamsEach: number
}

export interface FloodResult {
  /** Calls that were answered, and those of them that were refused for coming too fast. */
  readonly answered: number
  readonly refused: number
  readonly admitted: number
  readonly perSecond: number
  /** The first answer that was neither. */
  readonly other?: string
}

setPriority(constants.priority.PRIORITY_LOW)

let answered = 0
let refused = 0
let admitted = 0
let other: string | undefined
let names = 0

async function flood(job: FloodJob, isOver: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.restConnections })
  const list = rpcNamed('GetNamespaces').grpcPath
  const create = rpcNamed('CreateServiceAccount')
  const callers = await Promise.all(
    Array.from({ length: job.grpcConnections }, (_, index) => {
      const spec = { name: `flood-${process.pid}-${index}`, access: { accountAccess: { role: 5 } } }
      return index % 2 === 0
        ? http2Caller(job.grpc, list, new Uint8Array())
        : http2Caller(job.grpc, create.grpcPath, create.requestType.encode({ spec }).finish())
    }),
  )
  const lanes: Promise<void>[] = []
  const lane = async (call: () => Promise<number>): Promise<void> => {
    while (!isOver()) {
      const status = await call().catch((thrown: unknown) => {
        const { message } = coerceError(thrown)
        return /status 8\b/.test(message) ? 429 : note(message)
      })
      answered += 1
      if (status === 429) refused += 1
      else if (status === 200) admitted += 1
    }
  }
  for (const caller of callers) {
    for (let index = 0; index < job.streamsEach; index += 1) lanes.push(lane(() => caller.call().then(() => 200)))
  }
  for (let index = 0; index < job.restConnections; index += 1) {
    lanes.push(lane(() => callRest(job, agent, index % 2 === 0)))
  }
  await Promise.all(lanes)
  agent.destroy()
  for (const caller of callers) caller.close()
}

async function callRest({ http, token }: FloodJob, agent: Agent, isRead: boolean): Promise<number> {
  const call = request(`${http}/cloud/${isRead ? 'namespaces' : 'service-accounts'}`, {
    agent,
    method: isRead ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, ...(isRead ? {} : { 'content-type': 'application/json' }) },
  })
  const spec = { name: `flood-${process.pid}-rest-${(names += 1)}`, access: { accountAccess: { role: 'ROLE_READ' } } }
  call.end(isRead ? undefined : JSON.stringify({ spec }))
  const [response] = await once(call, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

/** Conflicts and full accounts are answers, too: they were let through. */
function note(message: string): number {
  if (/status (6|9)\b/.test(message)) return 200
  other ??= message
  return 0
}

process.once('message', async (job: FloodJob) => {
  let over = false
  process.once('message', () => {
    over = true
  })
  const began = performance.now()
  await flood(job, () => over)
  const perSecond = answered / ((performance.now() - began) / 1000)
  const result: FloodResult = { answered, refused, admitted, perSecond, ...(other === undefined ? {} : { other }) }
  process.send?.(result)
  process.disconnect()
})
