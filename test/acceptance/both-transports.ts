import { CloudApi } from './cloud-api.ts'
import { type CloudMethod, encode } from './contract.ts'
import { productUnderTest } from './product-under-test.ts'
import { type RawReply, rawCall } from './raw-grpc.ts'

/** A request of the Cloud Ops API, camel case, enums by name. A `Date` becomes what the transport has for it. */
export type CloudRequest = Readonly<Record<string, unknown>>

/** The same request on both transports: everything that a caller gets to see, and may compare. */
export interface Seen {
  readonly rest: { readonly status: number; readonly code: number | undefined; readonly everything: string }
  readonly grpc: { readonly code: number | undefined; readonly everything: string }
}

/** @param token undefined: no credentials. */
export async function onBoth(token: string | undefined, method: CloudMethod, request: CloudRequest): Promise<Seen> {
  return { rest: await overRest(token, method, request), grpc: await overGrpc(token, method, request) }
}

async function overRest(token: string | undefined, method: CloudMethod, request: CloudRequest): Promise<Seen['rest']> {
  const { path, rest } = fillPath(method, request)
  const texts = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)]))
  const query = new URLSearchParams(texts).toString()
  const isPost = method.verb === 'POST'
  const url = isPost || query === '' ? path : `${path}?${query}`
  const { status, headers, text, json } = await new CloudApi(token).answer(method.verb, url, isPost ? rest : undefined)
  const { date: _date, 'x-request-id': _id, ...visible } = headers
  const code = typeof json.code === 'number' ? json.code : undefined
  return { status, code, everything: JSON.stringify({ status, ...visible, text: withoutRequestId(text) }) }
}

async function overGrpc(token: string | undefined, method: CloudMethod, request: CloudRequest): Promise<Seen['grpc']> {
  const { grpcStatus: code, text, message, fields } = await grpcCall(token, method, encode(method, forProto(request)))
  const { date: _date, 'x-request-id': _id, ...visible } = fields
  const details = Buffer.from(String(fields['grpc-status-details-bin'] ?? ''), 'base64').toString('latin1')
  const everything = {
    ...visible,
    'grpc-message': text,
    'grpc-status-details-bin': details,
    message: message.toString('latin1'),
  }
  return { code, everything: JSON.stringify(everything) }
}

/** Bytes as they are. */
export async function grpcCall(
  token: string | undefined,
  { grpcPath: path }: CloudMethod,
  message: Uint8Array,
): Promise<RawReply> {
  const { addresses } = await productUnderTest()
  const [host = '', port] = addresses.grpc.split(':')
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return rawCall({ host, port: Number(port) }, { authority: addresses.grpc, path, message, headers })
}

/** A request with a value for every variable of a path. */
export function filled(path: string, value: string): CloudRequest {
  const names = Array.from(path.matchAll(/\{([^}]+)\}/g), (match) => match[1] ?? '')
  const entries = names.map((name) => {
    const [head = '', inner] = name.split('.').map(camelCase)
    return [head, inner === undefined ? value : { [inner]: value }]
  })
  return Object.fromEntries(entries)
}

/** Path variables are field paths in snake case. */
function fillPath(
  { path }: CloudMethod,
  request: CloudRequest,
): { readonly path: string; readonly rest: CloudRequest } {
  let rest = request
  const filled = path.replace(/\{([^}]+)\}/g, (_, variable: string) => {
    const [name = '', ...deeper] = variable.split('.').map(camelCase)
    const value = deeper.reduce<unknown>((each, key) => (each as CloudRequest | undefined)?.[key], rest[name])
    if (deeper.length === 0) rest = Object.fromEntries(Object.entries(rest).filter(([key]) => key !== name))
    return encodeURIComponent(String(value ?? ''))
  })
  return { path: filled, rest }
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function forProto(value: unknown): object {
  const convert = (each: unknown): unknown => {
    if (each instanceof Date) return { seconds: Math.floor(each.getTime() / 1000) }
    if (Array.isArray(each)) return each.map(convert)
    if (typeof each !== 'object' || each === null) return each
    return Object.fromEntries(Object.entries(each).map(([name, inner]) => [name, convert(inner)]))
  }
  return convert(value) as object
}

/** Internal errors name it; those never should be seen, and then they are alike. */
function withoutRequestId(text: string): string {
  return text.replace(/request id [\w-]+/, 'request id')
}
