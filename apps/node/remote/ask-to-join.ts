import { request } from 'node:https'

export interface JoinQuestion {
  readonly url: string
  readonly nodeId: string
  readonly caPem: string
  /** The machine's own, which the driver saw: on a machine with several, another one would be refused. */
  readonly address: string
  readonly token: string
  readonly machineId: string
  readonly csr: string
  readonly signal: AbortSignal
}

export type JoinAnswer =
  | { readonly kind: 'joined'; readonly certificateChainPem: string; readonly discoveryUrl: string }
  | { readonly kind: 'wait'; readonly seconds: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'later'; readonly status: number }

const timeoutMs = 10_000
const maxBytes = 64 * 1024

/** Asks one join listener once. @throws Error when there is no answer, or none that makes sense. */
export async function askToJoin(question: JoinQuestion): Promise<JoinAnswer> {
  const { url, nodeId, token, machineId, csr } = question
  const path = new URL(`/v1/nodes/${encodeURIComponent(nodeId)}/join`, url)
  const { status, text, retryAfter } = await post(path, JSON.stringify({ token, machineId, csr }), question)
  if (status === 202) return { kind: 'wait', seconds: Math.min(30, Math.max(1, Number(retryAfter) || 1)) }
  if (status === 403) return { kind: 'refused' }
  if (status !== 200) return { kind: 'later', status }
  const { certificateChainPem, discoveryUrl } = JSON.parse(text) as Readonly<Record<string, unknown>>
  if (typeof certificateChainPem !== 'string' || typeof discoveryUrl !== 'string') {
    throw new Error('the join listener’s answer is none')
  }
  return { kind: 'joined', certificateChainPem, discoveryUrl }
}

function post(
  url: URL,
  body: string,
  { caPem, address, signal }: JoinQuestion,
): Promise<{ readonly status: number; readonly text: string; readonly retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: 'POST',
      ca: caPem,
      localAddress: address,
      agent: false,
      minVersion: 'TLSv1.3',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    })
    call.once('error', reject)
    call.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > maxBytes) call.destroy(new Error(`the answer has more than ${maxBytes} bytes`))
      })
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, text, retryAfter: response.headers['retry-after'] }),
      )
    })
    call.end(body)
  })
}
