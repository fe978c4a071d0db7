import { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { coerceError } from '#libs/base'
import { type Rpc, rpcs, toJson } from '#libs/cloud-api'
import { sendStatus, toAppError } from '../plugins/errors.ts'
import type { Admission } from './admission.ts'
import { type Credentials, dryRunHeader } from './call-context.ts'
import type { Dispatch } from './dispatcher.ts'
import { pathVariables, readRestRequest } from './rest-request.ts'

/**
 * Serves every rpc of the contract over HTTP, as its annotation says. Register it on a server made with
 * `restServerOptions`, with the `errors` plugin; it may be registered on several (HTTP and HTTPS) with one dispatch.
 */
export async function rest(app: FastifyInstance, { dispatch }: { readonly dispatch: Dispatch }): Promise<void> {
  // The text of the body is parsed after authentication, and by our own reader, which names what is wrong.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  for (const rpc of rpcs) {
    app.route({
      method: rpc.verb,
      url: routePath(rpc),
      // Described by the contract itself, not by a schema of ours.
      schema: { hide: true },
      // Before the body: nobody's is read who is nobody.
      onRequest: async (request, reply) => {
        const admission = await dispatch.admit(credentialsOf(request))
        admissions.set(request, admission)
        if (admission.refusal !== undefined) await answer(dispatch, rpc, request, reply)
      },
      handler: (request, reply) => answer(dispatch, rpc, request, reply),
      // What Fastify refuses by itself (a body that is too large, or no JSON) is a call like any other.
      errorHandler: (error, request, reply) => answer(dispatch, rpc, request, reply, toAppError(coerceError(error))),
    })
  }
}

/** What was found out before the body came. */
const admissions = new WeakMap<FastifyRequest, Admission>()

/** The methods that the contract serves a path with; empty for a path that it does not have. */
export function allowedMethods(path: string): readonly string[] {
  return [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ verb }) => verb))]
}

const patterns = rpcs.map(({ verb, path }) => ({
  verb,
  pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
}))

async function answer(dispatch: Dispatch, rpc: Rpc, request: FastifyRequest, reply: FastifyReply, unreadable?: Error) {
  const apiVersion = request.headers['temporal-cloud-api-version']
  const dryRun = request.headers[dryRunHeader]
  const admission = admissions.get(request)
  const outcome = await dispatch({
    rpc,
    transport: 'rest',
    credentials: credentialsOf(request),
    requestId: request.id,
    ...(admission === undefined ? {} : { admission }),
    ...(typeof apiVersion === 'string' ? { apiVersion } : {}),
    ...(dryRun === undefined ? {} : { dryRun: String(dryRun) }),
    readRequest: () => {
      if (unreadable !== undefined) throw unreadable
      return readRestRequest(rpc, {
        variables: variablesOf(rpc, request),
        query: queryOf(request),
        body: typeof request.body === 'string' ? request.body : '',
      })
    },
    writeResponse: (response) => JSON.stringify(toJson(rpc.responseType, response)),
  })
  reply.headers(outcome.headers ?? {})
  if (!outcome.ok) return sendStatus(reply, outcome.status)
  return reply.type('application/json; charset=utf-8').send(outcome.response)
}

/** Variables become `:v0`, `:v1`, since a field path may hold a dot. */
function routePath(rpc: Rpc): string {
  let index = 0
  return rpc.path.replace(/\{[^}]+\}/g, () => `:v${index++}`)
}

function variablesOf(rpc: Rpc, request: FastifyRequest): readonly string[] {
  const params = request.params as Readonly<Record<string, string | undefined>>
  return pathVariables(rpc).map((_path, index) => params[`v${index}`] ?? '')
}

function queryOf(request: FastifyRequest): string {
  const url = request.raw.url ?? ''
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at + 1)
}

function credentialsOf(request: FastifyRequest): Credentials {
  const socket = request.raw.socket
  const peerCertificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined
  return { authorization: request.headers.authorization, peerCertificate, sourceAddress: request.ip }
}
