import { authorize, type UserClaims } from '#libs/authz'
import type { Clock } from '#libs/base'
import { apiKeyLimit } from '#libs/domain/api-keys'
import type { Database } from '#libs/store'
import { createApiKey } from '#libs/store/api-keys'
import { acceptInvitation, type NewTenant } from '#libs/store/invitations'
import type { ApiKeyTokens } from '../auth/api-key-tokens.ts'

/** Days that a tenant's first API key lives: time enough to make the next one. */
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
 * Spends an invitation: tenant, account owner and first API key come into being together or not at all. Of two that
 * spend the same one at once, one wins.
 * @throws AppError `unauthenticated`
 */
export async function acceptInvitationOf(
  { database, apiKeyTokens, clock }: AcceptDeps,
  token: string,
): Promise<{ readonly invitationId: string; readonly answer: Acceptance }> {
  const now = clock.now()
  const proof = authorize({ kind: 'anonymous' }, 'invitation', 'accept', { fleet: true })
  return database.all.transaction().execute(async (trx) => {
    const made = await acceptInvitation(trx, proof, token, now)
    const { tenantId, userId, invitationId } = made
    const row = await createApiKey(
      trx,
      authorize(ownerOf(made), 'user', 'create_api_key', { tenantId, userId }),
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
      tenant: { id: tenantId, name: made.company },
      user: { id: userId, email: made.email },
      apiKey: { id: row.id, token: secret, expiresAt: row.expires_at.toISOString() },
    }
    return { invitationId, answer }
  })
}

function ownerOf({ tenantId, userId, invitationId }: NewTenant): UserClaims {
  return {
    kind: 'user',
    tenantId,
    principalId: userId,
    roles: new Set(['owner'] as const),
    namespaceGrants: new Map(),
    customPermissions: [],
    credential: { kind: 'invitation', id: invitationId },
  }
}

/** To the second, as tokens have it. */
function daysAfter(now: Date, days: number): Date {
  return new Date((Math.floor(now.getTime() / 1000) + days * 24 * 60 * 60) * 1000)
}
