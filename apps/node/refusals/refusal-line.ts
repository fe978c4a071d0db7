import { type EdgeRefusal, edgeOutcomes } from '#libs/domain/edges'

/** Fields of a line as `apps/edge/translate/refusal-log.ts` asks Envoy for them; what is empty is left out. */
type Line = Readonly<Record<string, unknown>>
type Outcome = EdgeRefusal['outcome']

const methodPath = /^\/temporal\.api\.workflowservice\.v1\.WorkflowService\/([A-Za-z0-9]{1,80})$/
const ofGrpc: Readonly<Record<number, Outcome>> = {
  3: 'INVALID_ARGUMENT',
  7: 'PERMISSION_DENIED',
  12: 'UNIMPLEMENTED',
  16: 'UNAUTHENTICATED',
}
const ofHttp: Readonly<Record<number, Outcome>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  415: 'INVALID_ARGUMENT',
  421: 'PERMISSION_DENIED',
}
/** PROXY headers with this address are the provisioner's own: it looks whether the private listener keeps strangers out. */
const probeAddress = '127.0.0.1'

/**
 * Reads one line that Envoy wrote.
 * @returns undefined for what is no refusal of ours: a line that is damaged, a request that was no HTTP at all, the
 * provisioner's own look at a listener.
 */
export function readRefusalLine(text: string): EdgeRefusal | undefined {
  const line = parse(text)
  if (line === undefined) return undefined
  const namespaceId = string(line, 'namespace')
  const at = Math.round(Number(line.time) * 1000)
  if (namespaceId === '' || !Number.isFinite(at)) return undefined
  const what = line.path === undefined ? connection(line) : call(line)
  if (what === undefined || !edgeOutcomes.includes(what.outcome)) return undefined
  return {
    namespaceId,
    at,
    ...what,
    principalId: string(line, 'principal'),
    keyId: string(line, 'key'),
    fingerprint: string(line, 'fingerprint'),
    sourceAddress: string(line, 'source').slice(0, 64),
    requestId: string(line, 'requestId'),
    repeats: 1,
  }
}

type What = Pick<EdgeRefusal, 'operation' | 'outcome' | 'reason'>

function call(line: Line): What | undefined {
  const path = string(line, 'path')
  const grpc = line.grpc === undefined ? undefined : Number(line.grpc)
  const outcome = grpc === undefined ? ofHttp[Number(line.status)] : ofGrpc[grpc]
  const reason = reasonOf(string(line, 'why'), string(line, 'route'), grpc)
  if (outcome === undefined || reason === undefined) return undefined
  return { operation: methodPath.exec(path)?.[1] ?? path.slice(0, 160), outcome, reason }
}

/** Envoy names what answered: a route of ours, one of our filters, or the cell. Whatever else it was refused nobody. */
function reasonOf(why: string, route: string, grpc: number | undefined): string | undefined {
  if (why === 'direct_response') return route
  const token = /^jwt_authn_access_denied\{(.*)\}$/.exec(why)?.[1]
  if (token !== undefined) return `the API key is not good: ${token.replaceAll('_', ' ')}`
  if (why.startsWith('rbac_access_denied')) {
    return 'the client certificate matches none of the certificate filters of this namespace'
  }
  return why === 'via_upstream' && (grpc === 7 || grpc === 16) ? 'the cell refused it' : undefined
}

function connection(line: Line): What | undefined {
  const outcome = 'PERMISSION_DENIED'
  const tls = string(line, 'tls')
  if (tls !== '') {
    const problem = /CERTIFICATE_VERIFY_FAILED:(.*?)(?::?_?TLS_error_end|$)/.exec(tls)?.[1] ?? ''
    const words = problem.replaceAll(/[_:]+/g, ' ').trim()
    return { operation: 'Connect', outcome: 'UNAUTHENTICATED', reason: `the client certificate is not good: ${words}` }
  }
  if (line.source === probeAddress) return undefined
  return { operation: 'Connect', outcome, reason: 'no connectivity rule lets this private connection in' }
}

function parse(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined
  } catch {
    return undefined
  }
}

function string(line: Line, field: string): string {
  const value = line[field]
  return typeof value === 'string' ? value.slice(0, 300).replaceAll(/[^\x20-\x7e]/g, '?') : ''
}
