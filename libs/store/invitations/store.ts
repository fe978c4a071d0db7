import { createHash } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId, newTenantId } from '#libs/base'
import type { Trx } from '../database.ts'
import type { WaitlistEntryRow } from '../waitlist/store.ts'
import type { InvitationsTable } from './table.ts'

export type InvitationRow = Selectable<InvitationsTable>

/** Kept as a hash: who reads the table cannot accept an invitation. */
function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Invites who stands behind an entry; an earlier invitation that is still open ends.
 * @param entry locked by `decideWaitlistEntry` in the same transaction.
 * @param token the secret of the one-time link; it is not stored.
 * @throws AppError `precondition` when an earlier invitation was accepted: nobody becomes two tenants.
 */
export async function createInvitation(
  trx: Trx,
  proof: Authorized<'waitlist_entry', 'update'>,
  entry: WaitlistEntryRow,
  token: string,
  expiresAt: Date,
): Promise<InvitationRow> {
  const earlier = trx.updateTable('invitations').where('waitlist_entry_id', '=', entry.id)
  // Waits for an acceptance under way, and comes before the look at what was accepted: the other way round, both pass.
  await earlier.set({ expires_at: sql<Date>`least(expires_at, created_at)` }).where('accepted_at', 'is', null).execute()
  const accepted = await trx
    .selectFrom('invitations')
    .select('tenant_id')
    .where('waitlist_entry_id', '=', entry.id)
    .where('accepted_at', 'is not', null)
    .executeTakeFirst()
  if (accepted !== undefined) {
    throw new AppError('precondition', `the invitation was accepted already, by tenant ${accepted.tenant_id}`)
  }
  return trx
    .insertInto('invitations')
    .values({
      id: newId('inv'),
      waitlist_entry_id: entry.id,
      email: entry.email,
      company: entry.company,
      token_hash: hashOf(token),
      expires_at: expiresAt,
      accepted_at: null,
      tenant_id: null,
      created_by: proof.actor.id,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

export interface NewTenant {
  readonly invitationId: string
  readonly tenantId: string
  readonly userId: string
  readonly email: string
  readonly company: string
}

/**
 * Spends the token: makes the tenant and its first user, the account owner. One use, whatever races.
 * @throws AppError `unauthenticated` for a token that is unknown, spent or expired, without saying which.
 */
export async function acceptInvitation(
  trx: Trx,
  _proof: Authorized<'invitation', 'accept'>,
  token: string,
  now: Date,
): Promise<NewTenant> {
  const invitation = await trx
    .updateTable('invitations')
    .set({ accepted_at: now })
    .where('token_hash', '=', hashOf(token))
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst()
  if (invitation === undefined) {
    throw new AppError('unauthenticated', 'the invitation is not valid (any more): ask the operator for a new one')
  }
  const tenantId = await insertTenant(trx, invitation.company)
  const userId = newId('usr')
  await trx
    .insertInto('users')
    .values({
      id: userId,
      tenant_id: tenantId,
      email: invitation.email,
      account_role: 'owner',
      updated_at: null,
      deleted_at: null,
    })
    .execute()
  await trx.updateTable('invitations').set({ tenant_id: tenantId }).where('id', '=', invitation.id).execute()
  return { invitationId: invitation.id, tenantId, userId, email: invitation.email, company: invitation.company }
}

async function insertTenant(trx: Trx, name: string): Promise<string> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const row = await trx
      .insertInto('tenants')
      .values({ id: newTenantId(), name })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst()
    if (row !== undefined) return row.id
  }
  throw new AppError('unavailable', 'no tenant id was free: try again')
}
