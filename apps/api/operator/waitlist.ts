import type { FastifyInstance, FastifyRequest } from 'fastify'
import { authorize } from '#libs/authz'
import { coerceError } from '#libs/base'
import type { WaitlistState } from '#libs/domain/waitlist'
import { createInvitation } from '#libs/store/invitations'
import { decideWaitlistEntry, listWaitlist, type WaitlistEntryRow } from '#libs/store/waitlist'
import { invitationMail } from '../mail/invitation-mail.ts'
import { type Delivery, MailError, type MailMessage } from '../mail/mailer.ts'
import { invitationExpiry, newInvitationToken } from '../signup/invitation-token.ts'
import { audited, note } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { type PageQuery, pageParameters, readPage } from './paging.ts'
import {
  answer,
  type ById,
  idParameter,
  integer,
  listOf,
  noBody,
  oneOf,
  request,
  route,
  string,
  time,
} from './schemas.ts'

const tag = 'Waitlist'
const states = oneOf('waiting', 'approved', 'rejected')
const entrySchema = answer(
  {
    id: string,
    email: string,
    company: string,
    useCase: string,
    state: states,
    applications: { ...integer, description: 'How often this address applied.' },
    createdAt: time,
    decidedBy: string,
    decidedAt: time,
  },
  ['decidedBy', 'decidedAt'],
)
const approvalSchema = answer({
  entry: entrySchema,
  invitation: answer({ id: string, expiresAt: time }),
  mail: { ...oneOf('sent', 'outbox', 'failed'), description: 'After `failed`, approve again: a new mail goes out.' },
})

export function waitlistRoutes(app: FastifyInstance, context: OperatorContext): void {
  const { database, pages } = context

  app.get<{ Querystring: PageQuery & { readonly state?: WaitlistState } }>(
    '/waitlist',
    {
      schema: route(tag, 'List who applied, first come first', listOf('entries', entrySchema), {
        querystring: request({ state: states, ...pageParameters }),
      }),
    },
    async (call) => {
      const { query } = call
      const proof = authorize(claimsOf(call), 'waitlist_entry', 'list', { fleet: true })
      const { items, nextPageToken } = await readPage(
        pages,
        'waitlist',
        { ...query },
        (after, limit) => listWaitlist(database.all, proof, { state: query.state, after: Number(after ?? 0), limit }),
        (row) => String(row.number),
      )
      return { entries: items.map(entryOf), nextPageToken }
    },
  )

  app.post<ById>(
    '/waitlist/:id/approve',
    {
      schema: route(
        tag,
        'Approve, and send an invitation; again to send another, which ends the first',
        approvalSchema,
        {
          params: idParameter,
          body: noBody,
        },
      ),
    },
    (call) => approve(context, call, call.params.id),
  )

  app.post<ById>(
    '/waitlist/:id/reject',
    {
      schema: route(tag, 'Reject; it may still be approved later', entrySchema, { params: idParameter, body: noBody }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'waitlist_entry', 'update', { entryId: call.params.id })
      const row = await database.all.transaction().execute(async (trx) => {
        const decided = await decideWaitlistEntry(trx, proof, 'rejected')
        await audited(trx, call)
        return decided
      })
      return entryOf(row)
    },
  )
}

/** The mail goes out after the commit: when it fails, there is an invitation, and approving again makes a new one. */
async function approve(context: OperatorContext, call: FastifyRequest, entryId: string) {
  const { database, clock, publicUrl } = context
  const proof = authorize(claimsOf(call), 'waitlist_entry', 'update', { entryId })
  const token = newInvitationToken()
  const expiresAt = invitationExpiry(clock.now())
  const { entry, invitation } = await database.all.transaction().execute(async (trx) => {
    const approved = await decideWaitlistEntry(trx, proof, 'approved')
    const created = await createInvitation(trx, proof, approved, token, expiresAt)
    await audited(trx, call, { invitationId: created.id })
    return { entry: approved, invitation: created }
  })
  const mail = await deliver(context, invitationMail({ to: entry.email, publicUrl, token, expiresAt }), call.id)
  note(call, { mail })
  return {
    entry: entryOf(entry),
    invitation: { id: invitation.id, expiresAt: invitation.expires_at.toISOString() },
    mail,
  }
}

async function deliver(
  { mailer, logger }: OperatorContext,
  message: MailMessage,
  requestId: string,
): Promise<Delivery | 'failed'> {
  try {
    return await mailer.send(message)
  } catch (thrown) {
    // Of an error that is not known to be clean only the name is written down: the message holds a token.
    const reason = thrown instanceof MailError ? thrown.message : coerceError(thrown).name
    logger.error({ requestId, reason }, 'mail failed')
    return 'failed'
  }
}

function entryOf(row: WaitlistEntryRow) {
  return {
    id: row.id,
    email: row.email,
    company: row.company,
    useCase: row.use_case,
    state: row.state,
    applications: row.applications,
    createdAt: row.created_at.toISOString(),
    ...(row.decided_by === null ? {} : { decidedBy: row.decided_by }),
    ...(row.decided_at === null ? {} : { decidedAt: row.decided_at.toISOString() }),
  }
}
