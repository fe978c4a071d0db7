import { type IncomingHttpHeaders, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'

export interface HttpOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text goes as it is, anything else as JSON. */
  readonly body?: unknown
  readonly ca?: string | undefined
  /** PEM, of a client certificate. */
  readonly identity?: Identity | undefined
}

/** A client certificate and its key, PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Of JSON answers. */
  readonly json: Json
}

/** What an API answers, in the parts that the caller names. */
export type Json = Readonly<Record<string, unknown>>

/** Connections of strangers and of API keys are used again; whoever shows a certificate does it anew each time. */
const agents = { plain: new PlainAgent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true }) }

/** One request. @throws Error when there is no answer: a refused handshake, say. */
export function http(url: string, { method, headers, body, ca, identity }: HttpOptions = {}): Promise<Answer> {
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  const options = {
    method: method ?? 'GET',
    agent: identity !== undefined ? false : url.startsWith('https:') ? agents.tls : agents.plain,
    headers: {
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(ca === undefined ? {} : { ca }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  }
  return new Promise((resolve, reject) => {
    const call = (url.startsWith('https:') ? tlsRequest : plainRequest)(url, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) })
      })
    })
    call.on('error', reject)
    call.end(payload)
  })
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return {}
  }
}
