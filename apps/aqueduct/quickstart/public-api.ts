import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { commandText, quoted } from './command-text.ts'
import type { Telling } from './narrator.ts'

/** One call of the product's HTTPS APIs: what is sent, and what `curl` would send. */
export interface ApiCall {
  readonly method?: 'GET' | 'POST'
  readonly url: string
  /** Who calls, for the operator listener. */
  readonly identity?: { readonly certificateFile: string; readonly keyFile: string }
  /** The file with the API key; the command has a variable instead. */
  readonly apiKeyFile?: string
  readonly body?:
    | { readonly json: object }
    | { readonly file: string }
    /** What holds a secret: the command pipes it in with the command before it. */
    | { readonly secret: object; readonly piped: string }
  /** Where the command puts an answer with a secret, instead of the screen. */
  readonly answerFile?: string
}

export interface PublicApiOptions {
  readonly caFile: string
  /** How a path is written in a command. */
  readonly shown: (path: string) => string
  readonly signal: AbortSignal
}

/** The variable in which commands have the API key. */
export const apiKeyVariable = 'AQUEDUCT_API_KEY'
const timeoutMs = 30_000

/** An answer that says no. */
export class ApiRefused extends Error {
  override readonly name = 'ApiRefused'
  readonly status: number
  readonly reason: string

  constructor(call: ApiCall, status: number, reason: string) {
    super(`${call.method ?? 'GET'} ${call.url} answered ${status}: ${reason}`)
    this.status = status
    this.reason = reason
  }
}

/** Calls the APIs as anybody could, and tells the command for it. */
export class PublicApi {
  readonly #options: PublicApiOptions

  constructor(options: PublicApiOptions) {
    this.#options = options
  }

  /** @throws ApiRefused; Error when nobody answers. */
  async call<Answer>(call: ApiCall, telling: Telling): Promise<Answer> {
    telling.command(this.#command(call))
    const { status, text } = await this.#send(call)
    if (status >= 400) throw new ApiRefused(call, status, reasonIn(text))
    return JSON.parse(text) as Answer
  }

  #send(call: ApiCall): Promise<{ readonly status: number; readonly text: string }> {
    const { identity, apiKeyFile, method = 'GET', url } = call
    const body = bodyOf(call)
    const options = {
      method,
      agent: false as const,
      ca: read(this.#options.caFile),
      signal: AbortSignal.any([this.#options.signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(apiKeyFile === undefined ? {} : { authorization: `Bearer ${read(apiKeyFile).trim()}` }),
      },
      ...(identity === undefined ? {} : { cert: read(identity.certificateFile), key: read(identity.keyFile) }),
    }
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => reject(new Error(`${method} ${url}: ${cause.message}`, { cause }))
      const sent = request(url, options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', failed)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        )
      })
      sent.on('error', failed)
      sent.end(body)
    })
  }

  #command({ method = 'GET', url, identity, apiKeyFile, body, answerFile }: ApiCall): string {
    const { caFile, shown } = this.#options
    const parts = [`curl --cacert ${shown(caFile)}`]
    if (identity !== undefined) {
      parts.push(`--cert ${shown(identity.certificateFile)}`, `--key ${shown(identity.keyFile)}`)
    }
    if (method === 'POST' && body === undefined) parts.push('-X POST')
    parts.push(quoted(url))
    if (apiKeyFile !== undefined) parts.push(`-H "Authorization: Bearer $${apiKeyVariable}"`)
    if (body !== undefined) parts.push("-H 'Content-Type: application/json'")
    if (answerFile !== undefined) parts.push(`-o ${shown(answerFile)}`)
    if (body === undefined) return commandText(parts)
    if ('json' in body) return commandText([...parts, `-d ${quoted(JSON.stringify(body.json))}`])
    if ('file' in body) return commandText([...parts, `-d @${shown(body.file)}`])
    return commandText([`${body.piped} | ${parts[0]}`, ...parts.slice(1), '-d @-'])
  }
}

function bodyOf({ body }: ApiCall): string | undefined {
  if (body === undefined) return undefined
  if ('file' in body) return read(body.file)
  return JSON.stringify('json' in body ? body.json : body.secret)
}

function read(file: string): string {
  return readFileSync(file, 'utf8')
}

function reasonIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    if (typeof message === 'string') return message
  } catch {
    // Not from the product, then.
  }
  return text.slice(0, 200)
}
