import { randomUUID } from 'node:crypto'
import { rpcIsInPolicy } from '#libs/authz'
import { AppError, coerceError, invalidField } from '#libs/base'
import type { CloudHandlers, Rpc } from '#libs/cloud-api'
import { Histogram, type Logger, type Registry } from '#libs/telemetry'
import type { Admission } from './admission.ts'
import { type CallContext, type Credentials, dryRunHeader, type Transport } from './call-context.ts'
import { refusalLine } from './refusal-line.ts'
import { type Status, statusOf } from './status.ts'

/** One call as a transport hands it over. `Encoded` is what that transport sends as an answer. */
export interface IncomingCall<Encoded> {
  readonly rpc: Rpc
  readonly transport: Transport
  readonly credentials: Credentials
  /** From `acceptRequestId`. */
  readonly requestId: string
  readonly deadline?: Date
  readonly apiVersion?: string
  /** The header `x-aqueduct-dry-run` as it was sent. */
  readonly dryRun?: string
  /** From {@link Dispatch.admit}, when it was asked already; a call is counted once. */
  readonly admission?: Admission
  /** Makes the request message. Called only once the caller is known, so that strangers learn nothing from parsing. */
  readonly readRequest: () => object
  readonly writeResponse: (response: object) => Encoded
}

export type Outcome<Encoded> =
  | { readonly ok: true; readonly response: Encoded; readonly headers: Admission['headers'] }
  | { readonly ok: false; readonly status: Status; readonly headers: Admission['headers'] }

/** A call that did not end OK, for whoever keeps a record of them. */
export interface RefusedCall<Claims> {
  readonly call: Pick<IncomingCall<unknown>, 'rpc' | 'transport' | 'credentials' | 'requestId' | 'dryRun'>
  /** Undefined for callers who are not known, or not let in. */
  readonly claims: Claims | undefined
  /** Undefined when it was not read. */
  readonly request: object | undefined
  readonly status: Status
  readonly error: Error
}

export interface DispatcherDeps<Claims> {
  readonly handlers: CloudHandlers<CallContext<Claims>>
  /** Who calls. Throws AppError `unauthenticated` for anybody it does not know. */
  readonly authenticate: (credentials: Credentials) => Promise<Claims>
  /** Whether a call is worth reading, see {@link Dispatch}; every one is when it is left out. Never rejects. */
  readonly admit?: (credentials: Credentials) => Promise<Admission>
  /** What the log calls the caller: an id, never a name or an address. */
  readonly principalOf: (claims: Claims) => string
  readonly logger: Logger
  readonly registry: Registry
  /** Told of every call that does not end OK; must not throw. */
  readonly onRefused?: (refused: RefusedCall<Claims>) => void
}

/** Both transports end here. */
export interface Dispatch {
  /** Answers a call; never rejects. */
  <Encoded>(call: IncomingCall<Encoded>): Promise<Outcome<Encoded>>
  /**
   * Asked once a call, when only its headers are there: refuses credentials that are surely not ours, and callers that
   * are too fast. What such a caller sends besides is not read, or anybody could fill our memory with it; `dispatch`, with
   * this answer, tells them why.
   */
  readonly admit: (credentials: Credentials) => Promise<Admission>
}

/** What became known of a call on its way. */
interface Seen<Claims> {
  claims?: Claims
  principal?: string
  request?: object
}

type AnyHandler<Claims> = (context: CallContext<Claims>, request: object) => Promise<object>

/** request id → admit → authenticate → read the request → handler → error mapping → one log line and one observation. */
export function createDispatch<Claims>(deps: DispatcherDeps<Claims>): Dispatch {
  const { handlers, authenticate, principalOf, logger, registry, admit = async (): Promise<Admission> => ({}) } = deps
  const seconds = new Histogram({
    name: 'aqueduct_api_call_seconds',
    help: 'Calls of the Cloud Ops API, by rpc, transport and gRPC status',
    labelNames: ['rpc', 'transport', 'code'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })

  async function answer<Encoded>(
    call: IncomingCall<Encoded>,
    admission: Admission,
    seen: Seen<Claims>,
  ): Promise<Encoded> {
    if (admission.refusal !== undefined) throw admission.refusal
    const claims = await authenticate(call.credentials)
    seen.claims = claims
    seen.principal = principalOf(claims)
    // The table is keyed by the rpc's name, so that this handler takes this rpc's request; the compiler cannot follow.
    const handler = handlers[call.rpc.name] as AnyHandler<Claims> | undefined
    if (handler === undefined) throw new AppError('unimplemented', `${call.rpc.name} is not implemented`)
    // What nobody has thought about is nobody's to call.
    if (!rpcIsInPolicy(call.rpc.name)) throw new AppError('forbidden', `you may not call ${call.rpc.name}`)
    const context: CallContext<Claims> = {
      claims,
      requestId: call.requestId,
      transport: call.transport,
      sourceAddress: call.credentials.sourceAddress,
      dryRun: readDryRun(call.dryRun),
      ...(call.deadline === undefined ? {} : { deadline: call.deadline }),
      ...(call.apiVersion === undefined ? {} : { apiVersion: call.apiVersion }),
    }
    seen.request = call.readRequest()
    return call.writeResponse(await handler(context, seen.request))
  }

  const dispatch = async <Encoded>(call: IncomingCall<Encoded>): Promise<Outcome<Encoded>> => {
    const started = performance.now()
    const seen: Seen<Claims> = {}
    const admission = call.admission ?? (await admit(call.credentials))
    const { headers } = admission
    const finish = (code: string, error?: Error) => {
      const ms = performance.now() - started
      seconds.observe({ rpc: call.rpc.name, transport: call.transport, code }, ms / 1000)
      const line = {
        rpc: call.rpc.name,
        transport: call.transport,
        requestId: call.requestId,
        source: call.credentials.sourceAddress,
        principal: seen.principal,
        outcome: code,
        ms: Math.round(ms),
      }
      if (error === undefined) logger.info(line, 'call')
      else if (!(error instanceof AppError) || error.code === 'internal') {
        logger.error({ ...line, err: error, context: error instanceof AppError ? error.context : undefined }, 'call')
      } else if (error === admission.refusal && error.code === 'exhausted') {
        // A flood must not become one of the log: the metrics count it.
        logger.debug({ ...line, ...refusalLine(error) }, 'call')
      } else logger.info({ ...line, ...refusalLine(error) }, 'call')
    }
    try {
      const response = await answer(call, admission, seen)
      finish('OK')
      return { ok: true, response, headers }
    } catch (thrown) {
      const status = statusOf(thrown, call.requestId)
      const error = coerceError(thrown)
      finish(status.name, error)
      deps.onRefused?.({ call, claims: seen.claims, request: seen.request, status, error })
      return { ok: false, status, headers }
    }
  }
  return Object.assign(dispatch, { admit })
}

/** Whoever misspells it must not believe that nothing was written. @throws AppError `invalid` */
function readDryRun(sent: string | undefined): boolean {
  if (sent === undefined || sent === 'false') return false
  if (sent === 'true') return true
  throw invalidField(dryRunHeader, 'must be true or false')
}

const usableRequestId = /^[\w.:-]{1,128}$/

/** The caller's request id when it is fit for logs and headers, else a new one. */
export function acceptRequestId(sent: unknown): string {
  return typeof sent === 'string' && usableRequestId.test(sent) ? sent : randomUUID()
}
