import type { FastifyInstance } from 'fastify'
import { authorize } from '#libs/authz'
import { findUserByEmail, inviteUser } from '#libs/store/users'
import { invitationExpiry } from '../signup/invitation-token.ts'
import { audited } from './audit-log.ts'
import { claimsOf } from './authenticate-operators.ts'
import type { OperatorContext } from './operator-context.ts'
import { answer, type ById, idParameter, request, route, string, time } from './schemas.ts'

const invitedSchema = answer({ userId: string, invitation: answer({ id: string, expiresAt: time }) })
const inviteSchema = request({ email: { ...string, minLength: 1, maxLength: 254 } }, ['email'])

/**
 * The way back in for users of a tenant who have no key any more, the last account owner among them: whoever has the
 * user's mail gets one, and nobody else.
 */
export function userInvitationRoutes(app: FastifyInstance, context: OperatorContext): void {
  const { database, clock, invitationMails } = context
  app.post<ById & { Body: { readonly email: string } }>(
    '/tenants/:id/invite-user',
    {
      schema: route('Tenants', 'Mail one of its users a new invitation, which ends an earlier one', invitedSchema, {
        params: idParameter,
        body: inviteSchema,
      }),
    },
    async (call) => {
      const proof = authorize(claimsOf(call), 'tenant', 'invite_user', { tenantId: call.params.id })
      const { user, invitation } = await database.all.transaction().execute(async (trx) => {
        const found = await findUserByEmail(trx, proof, call.body.email)
        const made = await inviteUser(trx, proof, found, invitationExpiry(clock.now()))
        await audited(trx, call, { userId: found.id, invitationId: made.id })
        return { user: found, invitation: made }
      })
      invitationMails.wake()
      return { userId: user.id, invitation: { id: invitation.id, expiresAt: invitation.expires_at.toISOString() } }
    },
  )
}
