import { authorize } from '#libs/authz'
import { AppError, type Clock } from '#libs/base'
import type { Database, Executor } from '#libs/store'
import { accessOfOne } from '#libs/store/access'
import { getApiKey } from '#libs/store/api-keys'
import { getOwnServiceAccount } from '#libs/store/service-accounts'
import { getOwnUser, openInvitationsOf } from '#libs/store/users'
import { type Member, memberOf } from '../../auth/member.ts'
import { verificationFails } from '../../auth/token-verifier.ts'
import { apiKeyToWire } from '../api-keys/wire.ts'
import { serviceAccountToWire } from '../service-accounts/wire.ts'
import { type IdentityHandlers, userToWire } from './wire.ts'

export interface IdentityDeps {
  readonly database: Database
  readonly clock: Clock
}

export function identityHandlers({ database, clock }: IdentityDeps): IdentityHandlers {
  return {
    async GetCurrentIdentity({ claims }) {
      const member = memberOf(claims)
      const { tenantId } = member
      const ownKey = authorize(claims, 'api_key', 'read', { tenantId, keyId: member.credential.id })
      const identity = database.ofTenant(tenantId, async (executor) => ({
        ...(await principal(executor, member, clock.now())),
        principalApiKey: apiKeyToWire(await getApiKey(executor, ownKey), clock.now()),
      }))
      return identity.catch(goneMeanwhile)
    },
  }
}

/** Who was deleted since this call was authenticated is nobody, and gets the answer that the next call will get. */
function goneMeanwhile(thrown: unknown): never {
  if (thrown instanceof AppError && thrown.code === 'not_found') throw verificationFails()
  throw thrown
}

/** What the caller is, with what it was given itself: what its groups add stands with them. */
async function principal(executor: Executor, member: Member, now: Date) {
  const proof = authorize(member, 'identity', 'read', { tenantId: member.tenantId })
  const access = await accessOfOne(executor, proof, member.principalId)
  switch (member.kind) {
    case 'user': {
      const row = await getOwnUser(executor, proof)
      const invitations = await openInvitationsOf(executor, proof, [row.id], now)
      return { user: userToWire(row, access, invitations.get(row.id)) }
    }
    case 'service_account': {
      const row = await getOwnServiceAccount(executor, proof)
      return { serviceAccount: serviceAccountToWire(row, access) }
    }
  }
}
