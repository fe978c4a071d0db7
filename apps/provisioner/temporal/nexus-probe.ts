import { request } from 'node:http'
import { coerceError } from '#libs/base'
import { nexusProbeHost } from '#libs/domain/edges'

export interface NexusProbeTarget {
  /** The node's. */
  readonly address: string
  readonly port: number
  readonly endpointId: string
  /** The cell's password, as the header wants it. */
  readonly proxyAuthorization: string
}

/** `silent`: it could not be asked, or gave no answer that is one. */
export type RouterLook =
  | { readonly kind: 'serving'; readonly generation: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent'; readonly detail: string }

const timeoutMs = 2_000
const maxBytes = 10_000

/** Asks a cell's Nexus router which generation of an endpoint it routes. Never throws. */
export async function probeNexusRouter(target: NexusProbeTarget): Promise<RouterLook> {
  try {
    const { status, body } = await ask(target)
    if (status === 404) return { kind: 'absent' }
    const answer: unknown = status === 200 ? JSON.parse(body) : undefined
    if (typeof answer === 'object' && answer !== null && 'generation' in answer) {
      const { generation } = answer
      if (typeof generation === 'number') return { kind: 'serving', generation }
    }
    return { kind: 'silent', detail: `the router answers ${status}` }
  } catch (thrown) {
    return { kind: 'silent', detail: `the router cannot be asked: ${coerceError(thrown).message}` }
  }
}

function ask(target: NexusProbeTarget): Promise<{ readonly status: number; readonly body: string }> {
  const host = nexusProbeHost(target.endpointId)
  const headers = { host, 'proxy-authorization': target.proxyAuthorization }
  return new Promise((resolve, reject) => {
    const call = request(
      { host: target.address, port: target.port, path: '/generation', headers, agent: false, timeout: timeoutMs },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          body += chunk
          if (body.length > maxBytes) response.destroy(new Error('its answer is too long'))
        })
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      },
    )
    call.on('timeout', () => call.destroy(new Error('no answer in time')))
    call.on('error', reject)
    call.end()
  })
}
