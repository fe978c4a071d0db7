import { authorize, type Claims } from '#libs/authz'
import { AppError, type Clock } from '#libs/base'
import { readJwks } from '#libs/keyring'
import type { Database } from '#libs/store'
import { findPrincipals, type Principal } from '#libs/store/principals'
import { getTenant } from '#libs/store/tenants'
import { refusedTo } from '../audit/known-caller.ts'
import type { RequestLimiter } from '../limits/request-limiter.ts'
import type { StrangerLimiter } from '../limits/stranger-limiter.ts'
import { overDatabase } from '../plugins/over-database.ts'
import { TenantReads } from '../reads/tenant-reads.ts'
import type { Admission } from '../transport/admission.ts'
import type { Credentials } from '../transport/call-context.ts'
import { DeadKeys } from './dead-keys.ts'
import type { Member } from './member.ts'
import { TokenVerifier, type VerifiedToken, verificationFails } from './token-verifier.ts'

export interface AuthenticatorDeps {
  /** As the role aqueduct_api. */
  readonly database: Database
  readonly clock: Clock
  /** Limits of tenants and principals; without it nobody is too fast. */
  readonly requests?: RequestLimiter
  /** Limits of those whose credentials are not good. */
  readonly strangers?: StrangerLimiter
}

export interface Authenticate {
  /** @throws AppError `unauthenticated` for anybody it does not know, `forbidden` for a suspended tenant. */
  (credentials: Credentials): Promise<Claims>
  /**
   * Whether the call is worth reading: by a token that we signed, from one who is not too fast. It costs no look at the
   * caller's rows. Never rejects.
   */
  readonly admit: (credentials: Credentials) => Promise<Admission>
}

/** The claim mapper: a bearer token becomes what its principal is and may do right now. */
export function createAuthenticator({ database, clock, requests, strangers }: AuthenticatorDeps): Authenticate {
  const verifier = new TokenVerifier({ clock, readJwks: () => readJwks(database.all, { purpose: 'api_key' }) })
  // At every call, so that a change of role, or a revoked key, acts at once.
  const principals = new TenantReads(database, findPrincipals)
  const dead = new DeadKeys()
  const authenticate = ({ authorization, sourceAddress }: Credentials) =>
    overDatabase(async () => {
      const token = await verifier.verify(bearerToken(authorization))
      const principal = (await principals.read(token.tenantId, token.keyId)).get(token.keyId)
      // A revoked key, or one whose owner is gone; and, should a key ever change hands, one that speaks for another.
      if (principal === undefined || principal.id !== token.principalId) {
        dead.add(token.keyId)
        strangers?.failed(sourceAddress)
        throw refusedTo(token, verificationFails())
      }
      dead.delete(token.keyId)
      const member = claimsOf(principal)
      if (principal.tenantState === 'suspended') throw refusedTo(token, await suspended(database, member))
      return member
    })
  const admit = async ({ authorization, sourceAddress }: Credentials): Promise<Admission> => {
    let verified: VerifiedToken
    try {
      const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1]
      if (token === undefined || !verifier.remembers(token)) strangers?.assertRoom(sourceAddress)
      verified = await verifier.verify(bearerToken(authorization))
      // Whoever kept a revoked key is a stranger, and must not use up what the tenant may still call.
      if (dead.has(verified.keyId)) {
        strangers?.assertRoom(sourceAddress)
        return {}
      }
    } catch (thrown) {
      // Whatever else went wrong, `authenticate` will say.
      if (!(thrown instanceof AppError)) return {}
      if (thrown.code === 'unauthenticated') strangers?.failed(sourceAddress)
      return { refusal: thrown }
    }
    if (requests === undefined) return {}
    const admission = await requests.admit(verified)
    if (admission.refusal !== undefined) refusedTo(verified, admission.refusal)
    return admission
  }
  return Object.assign(authenticate, { admit })
}

const bearer = /^bearer +(\S+) *$/i

function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization.trim() === '')
    throw new AppError('unauthenticated', 'Jwt is missing')
  const token = bearer.exec(authorization)?.[1]
  if (token === undefined) throw verificationFails()
  return token
}

function claimsOf(principal: Principal): Member {
  return {
    kind: principal.kind,
    principalId: principal.id,
    tenantId: principal.tenantId,
    roles: principal.roles,
    namespaceGrants: principal.grants,
    customPermissions: principal.customPermissions,
    credential: { kind: 'api_key', id: principal.keyId },
  }
}

async function suspended(database: Database, member: Member): Promise<AppError> {
  const { tenantId } = member
  const proof = authorize(member, 'account', 'read', { tenantId })
  const tenant = await database.ofTenant(tenantId, (executor) => getTenant(executor, proof))
  const reason = tenant.state_reason === '' ? '' : `: ${tenant.state_reason}`
  return new AppError('forbidden', `account ${JSON.stringify(tenantId)} is suspended${reason}`)
}
