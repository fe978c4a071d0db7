import { type Authorized, authorize, type UserClaims } from '#libs/authz'
import type { Clock } from '#libs/base'
import { apiKeyLimit } from '#libs/domain/api-keys'
import type { Database, Trx } from '#libs/store'
import { createApiKey } from '#libs/store/api-keys'
import { acceptInvitation } from '#libs/store/invitations'
import { acceptUserInvitation, type JoinedUser } from '#libs/store/users'
import type { ApiKeyTokens } from '../auth/api-key-tokens.ts'
import { isUserInvitationToken } from './invitation-token.ts'

/** Days that a user's first API key lives: time enough to make the next one. */
const firstKeyDays = 90

export interface AcceptDeps {
  readonly database: Database
  /** Must not share `database`'s connections: it is asked while one of them is held. */
  readonly apiKeyTokens: ApiKeyTokens
  readonly clock: Clock
}

export interface Acceptance {
  readonly tenant: { readonly id: string; readonly name: string }
  readonly user: { readonly id: string; readonly email: string }
  /** `token` exists in this answer alone. */
  readonly apiKey: { readonly id: string; readonly token: string; readonly expiresAt: string }
}

/**
 * Spends an invitation. Of an applicant: tenant, account owner and first API key come into being together or not at all.
 * Of a user of a tenant: the user's first API key does. Of two that spend the same one at once, one wins.
 * @param written told in the same transaction, last of all, whom it made.
 * @throws AppError `unauthenticated`
 */
export async function acceptInvitationOf(
  { database, apiKeyTokens, clock }: AcceptDeps,
  token: string,
  written: (trx: Trx, invitationId: string, answer: Acceptance) => Promise<void>,
): Promise<{ readonly invitationId: string; readonly answer: Acceptance }> {
  const now = clock.now()
  const proof = authorize({ kind: 'anonymous' }, 'invitation', 'accept', { fleet: true })
  return database.all.transaction().execute(async (trx) => {
    const joined = await spend(trx, proof, token, now)
    const { tenantId, userId, invitationId } = joined
    const row = await createApiKey(
      trx,
      authorize(holderOf(joined), 'user', 'create_api_key', { tenantId, userId }),
      {
        ownerKind: 'user',
        ownerId: userId,
        displayName: 'First key',
        description: 'Made when the invitation was accepted',
        disabled: false,
        expiresAt: daysAfter(now, firstKeyDays),
      },
      apiKeyLimit('user'),
    )
    const secret = await apiKeyTokens.mint({
      tenantId,
      principalId: userId,
      keyId: row.id,
      expiresAt: row.expires_at,
    })
    const answer = {
      tenant: { id: tenantId, name: joined.tenantName },
      user: { id: userId, email: joined.email },
      apiKey: { id: row.id, token: secret, expiresAt: row.expires_at.toISOString() },
    }
    await written(trx, invitationId, answer)
    return { invitationId, answer }
  })
}

async function spend(
  trx: Trx,
  proof: Authorized<'invitation', 'accept'>,
  token: string,
  now: Date,
): Promise<JoinedUser> {
  if (isUserInvitationToken(token)) return acceptUserInvitation(trx, proof, token, now)
  const { company, ...made } = await acceptInvitation(trx, proof, token, now)
  return { ...made, tenantName: company }
}

/** Whose invitation it was may make a key of its own, and nothing else: that takes no role. */
function holderOf({ tenantId, userId, invitationId }: JoinedUser): UserClaims {
  return {
    kind: 'user',
    tenantId,
    principalId: userId,
    roles: new Set(['none'] as const),
    namespaceGrants: new Map(),
    customPermissions: [],
    credential: { kind: 'invitation', id: invitationId },
  }
}

/** To the second, as tokens have it. */
function daysAfter(now: Date, days: number): Date {
  return new Date((Math.floor(now.getTime() / 1000) + days * 24 * 60 * 60) * 1000)
}
