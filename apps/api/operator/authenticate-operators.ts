import type { Server } from 'node:https'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OperatorClaims } from '#libs/authz'
import { AppError } from '#libs/base'
import { type CertificateDescription, describeCertificate } from '#libs/pki'
import type { Database, Executor } from '#libs/store'
import { findLiveOperator } from '#libs/store/operators'

const operatorUri = /^aqueduct:\/\/operators\/([a-z0-9][a-z0-9._-]{0,62})$/
/** They tell nothing, and have to answer while the database does not. */
const openRoutes: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])

interface Seen {
  readonly fingerprint?: string
  readonly claims?: OperatorClaims
}

const seen = new WeakMap<FastifyRequest, Seen>()

/**
 * Finds out who calls, at each request: a connection may live longer than its certificate is good. The handshake has
 * checked the chain; the rows say whether the leaf is one that we issued to an operator and did not revoke, and what the
 * operator may do now.
 */
export function authenticateOperators(app: FastifyInstance<Server>, database: Database): void {
  app.addHook('onRequest', async (request) => {
    if (openRoutes.has(request.routeOptions.url)) return
    const leaf = leafOf(request)
    if (leaf === undefined) throw refused('a client certificate of the operator CA is needed')
    const fingerprint = leaf.fingerprintSha256
    seen.set(request, { fingerprint })
    const [uri, ...more] = leaf.uris
    const name = operatorUri.exec(uri ?? '')?.[1]
    if (name === undefined || more.length > 0) {
      throw refused('the client certificate names no operator (URI aqueduct://operators/<name>)')
    }
    seen.set(request, { fingerprint, claims: await readClaims(database.all, name, fingerprint) })
  })
}

/** @throws Error on a route that nobody has to be anybody for. */
export function claimsOf(request: FastifyRequest): OperatorClaims {
  const claims = seen.get(request)?.claims
  if (claims === undefined) throw new Error('the request was not authenticated')
  return claims
}

/**
 * The caller's claims as the rows have them by now: for a decision under a lock, which others may have held since the
 * request came in.
 * @throws AppError `unauthenticated` for who is nobody any more.
 */
export function claimsAnew(request: FastifyRequest, executor: Executor): Promise<OperatorClaims> {
  const { name, credential } = claimsOf(request)
  return readClaims(executor, name, credential.fingerprint)
}

async function readClaims(executor: Executor, name: string, fingerprint: string): Promise<OperatorClaims> {
  const operator = await findLiveOperator(executor, fingerprint)
  if (operator?.name !== name) throw refused('the client certificate is not known here, or was revoked')
  return { kind: 'operator', name, role: operator.role, credential: { kind: 'certificate', fingerprint } }
}

/** For the log: what is known of the caller, known or not. */
export function callerOf(request: FastifyRequest): { readonly operator?: string; readonly fingerprint?: string } {
  const { fingerprint, claims } = seen.get(request) ?? {}
  return {
    ...(claims === undefined ? {} : { operator: claims.name }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
}

function leafOf(request: FastifyRequest): CertificateDescription | undefined {
  const { socket } = request.raw
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const leaf = socket.getPeerX509Certificate()
  return leaf === undefined ? undefined : describeCertificate(leaf.toString())
}

function refused(message: string): AppError {
  return new AppError('unauthenticated', message)
}
