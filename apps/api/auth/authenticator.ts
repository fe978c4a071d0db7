import { authorize, type Claims } from '#libs/authz'
import { AppError, type Clock } from '#libs/base'
import { readJwks } from '#libs/keyring'
import type { Database } from '#libs/store'
import { findPrincipals, type Principal } from '#libs/store/principals'
import { getTenant } from '#libs/store/tenants'
import { overDatabase } from '../plugins/over-database.ts'
import { TenantReads } from '../reads/tenant-reads.ts'
import type { Credentials } from '../transport/call-context.ts'
import type { Member } from './member.ts'
import { TokenVerifier, verificationFails } from './token-verifier.ts'

export interface AuthenticatorDeps {
  /** As the role aqueduct_api. */
  readonly database: Database
  readonly clock: Clock
}

export interface Authenticate {
  /** @throws AppError `unauthenticated` for anybody it does not know, `forbidden` for a suspended tenant. */
  (credentials: Credentials): Promise<Claims>
  /** Whether the token is one that we signed, which costs no look at the rows: false for strangers. */
  readonly admits: (credentials: Credentials) => Promise<boolean>
}

/** The claim mapper: a bearer token becomes what its principal is and may do right now. */
export function createAuthenticator({ database, clock }: AuthenticatorDeps): Authenticate {
  const verifier = new TokenVerifier({ clock, readJwks: () => readJwks(database.all, { purpose: 'api_key' }) })
  // At every call, so that a change of role, or a revoked key, acts at once.
  const principals = new TenantReads(database, findPrincipals)
  const authenticate = ({ authorization }: Credentials) =>
    overDatabase(async () => {
      const token = await verifier.verify(bearerToken(authorization))
      const principal = (await principals.read(token.tenantId, token.keyId)).get(token.keyId)
      // A revoked key, or one whose owner is gone; and, should a key ever change hands, one that speaks for another.
      if (principal === undefined || principal.id !== token.principalId) throw verificationFails()
      const member = claimsOf(principal)
      if (principal.tenantState === 'suspended') throw await suspended(database, member)
      return member
    })
  const admits = async ({ authorization }: Credentials) => {
    try {
      await verifier.verify(bearerToken(authorization))
      return true
    } catch (thrown) {
      // Whatever else went wrong, `authenticate` will say.
      return !(thrown instanceof AppError && thrown.code === 'unauthenticated')
    }
  }
  return Object.assign(authenticate, { admits })
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
