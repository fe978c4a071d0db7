import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'

export interface Call {
  readonly method?: 'GET' | 'POST'
  /** The address that the call comes from. */
  readonly from?: string
  readonly ca: string
  readonly identity?: { readonly certificate: string; readonly key: string }
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, or text as it is. */
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: IncomingHttpHeaders
}

/** One call on a connection of its own. @throws Error when the connection is refused or broken. */
export function call(url: string, options: Call): Promise<Answer> {
  const { body, from, ca, identity, headers = {} } = options
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: options.method ?? (text === undefined ? 'GET' : 'POST'),
      ca,
      agent: false,
      ...(from === undefined ? {} : { localAddress: from }),
      ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
      headers: { ...headers, ...(text === undefined ? {} : { 'content-type': 'application/json' }) },
      timeout: 20_000,
    })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let read = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        read += chunk
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text: read, headers: response.headers }))
      response.once('error', reject)
    })
    outgoing.end(text)
  })
}
