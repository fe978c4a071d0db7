import { createHash, randomBytes } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { Authorized } from '#libs/authz'
import { AppError, newId } from '#libs/base'
import type { Executor, Trx } from '../database.ts'
import type { UserRow } from './store.ts'
import type { UserInvitationsTable } from './table.ts'

export type UserInvitationRow = Selectable<UserInvitationsTable>

/** Kept as a hash: who reads the table cannot accept an invitation. */
function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Invites a user to a first API key; an earlier invitation that is still open ends. The mail is not sent here, and there
 * is no token yet: `claimInvitationMail` makes one when the mail goes out, so that none is ever stored.
 */
export async function inviteUser(
  trx: Trx,
  proof:
    | Authorized<'account', 'create_user'>
    | Authorized<'account', 'provision_identities'>
    | Authorized<'tenant', 'invite_user'>,
  user: UserRow,
  expiresAt: Date,
): Promise<UserInvitationRow> {
  const { tenantId } = proof.target
  await trx
    .updateTable('user_invitations')
    .set({ expires_at: sql<Date>`least(expires_at, created_at)` })
    .where('tenant_id', '=', tenantId)
    .where('user_id', '=', user.id)
    .where('accepted_at', 'is', null)
    .execute()
  return trx
    .insertInto('user_invitations')
    .values({
      id: newId('inv'),
      tenant_id: tenantId,
      user_id: user.id,
      // Of nothing that anybody knows.
      token_hash: randomBytes(32),
      expires_at: expiresAt,
      accepted_at: null,
      created_by: proof.actor.id,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** By user; who has none that is open is missing. */
export async function openInvitationsOf(
  executor: Executor,
  proof: Authorized<'user', 'read' | 'list'> | Authorized<'identity', 'read'>,
  userIds: readonly string[],
  now: Date,
): Promise<ReadonlyMap<string, UserInvitationRow>> {
  if (userIds.length === 0) return new Map()
  const rows = await executor
    .selectFrom('user_invitations')
    .selectAll()
    .where('tenant_id', '=', proof.target.tenantId)
    .where('user_id', 'in', [...userIds])
    .where('accepted_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('created_at')
    .execute()
  return new Map(rows.map((row) => [row.user_id, row]))
}

/** A mail that has to go out, for one process alone until its lease ends. */
export interface InvitationMail {
  readonly invitationId: string
  readonly tenantId: string
  readonly tenantName: string
  readonly email: string
  readonly expiresAt: Date
  readonly attempts: number
}

/** Seconds: how long a claim is nobody else's, doubled at each attempt; longer than a mail server may take. */
const claimSeconds = 60
const maxClaimSeconds = 3600

/**
 * Takes up one invitation whose mail no mail server has yet, and makes the token its own: what an earlier attempt may
 * have sent is good for nothing then.
 * @param now of this process. The database's clock may be ahead of it, by which a new row is due already.
 * @returns undefined when none is due.
 */
export async function claimInvitationMail(
  executor: Executor,
  _proof: Authorized<'invitation', 'send'>,
  token: string,
  now: Date,
): Promise<InvitationMail | undefined> {
  const { rows } = await sql<InvitationMail>`
    with due as (
      select i.id, u.email, t.name from user_invitations i
      join users u on u.id = i.user_id and u.deleted_at is null
      join tenants t on t.id = i.tenant_id
      where i.mailed_at is null and i.accepted_at is null and i.expires_at > ${now} and i.mail_due_at <= greatest(${now}, now())
      order by i.mail_due_at limit 1 for update of i skip locked)
    update user_invitations i set token_hash = ${hashOf(token)}, mail_attempts = i.mail_attempts + 1,
      mail_due_at = ${now}::timestamptz
        + make_interval(secs => least(${maxClaimSeconds}::float, ${claimSeconds} * power(2, i.mail_attempts)))
    from due where i.id = due.id
    returning i.id as "invitationId", i.tenant_id as "tenantId", due.name as "tenantName", due.email,
      i.expires_at as "expiresAt", i.mail_attempts as attempts`.execute(executor)
  return rows[0]
}

/** A mail server, or the outbox, has it. */
export async function recordInvitationMailed(
  executor: Executor,
  _proof: Authorized<'invitation', 'send'>,
  { invitationId, attempts }: InvitationMail,
  now: Date,
): Promise<void> {
  await executor
    .updateTable('user_invitations')
    .set({ mailed_at: now })
    .where('id', '=', invitationId)
    // Who was slower than its lease must not speak for the one that came after.
    .where('mail_attempts', '=', attempts)
    .execute()
}

export interface JoinedUser {
  readonly invitationId: string
  readonly tenantId: string
  readonly tenantName: string
  readonly userId: string
  readonly email: string
}

/**
 * Spends the token of an invited user. One use, whatever races.
 * @throws AppError `unauthenticated` for a token that is unknown, spent or expired, of a user who is gone or of an account
 * that is suspended, without saying which.
 */
export async function acceptUserInvitation(
  trx: Trx,
  _proof: Authorized<'invitation', 'accept'>,
  token: string,
  now: Date,
): Promise<JoinedUser> {
  const { rows } = await sql<JoinedUser>`
    update user_invitations i set accepted_at = ${now}
    from users u, tenants t
    where i.token_hash = ${hashOf(token)} and i.accepted_at is null and i.expires_at > ${now}
      and u.id = i.user_id and u.tenant_id = i.tenant_id and u.deleted_at is null and u.deactivated_at is null
      and t.id = i.tenant_id and t.state = 'active'
    returning i.id as "invitationId", t.id as "tenantId", t.name as "tenantName", u.id as "userId", u.email`.execute(
    trx,
  )
  const joined = rows[0]
  if (joined === undefined) {
    throw new AppError(
      'unauthenticated',
      'the invitation is not valid (any more): ask an owner of the account for a new one',
    )
  }
  return joined
}
