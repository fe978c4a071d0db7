import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Authorized, authorize } from '#libs/authz'
import { invalidField } from '#libs/base'
import type { Authenticate } from '../auth/authenticator.ts'
import { type Member, memberOf } from '../auth/member.ts'
import { dryRunHeader } from '../transport/call-context.ts'

/** A tenant's identity provider, by the API key that it was given. */
export interface ScimCaller {
  readonly member: Member
  readonly tenantId: string
  readonly proof: Authorized<'account', 'provision_identities'>
}

const callers = new WeakMap<FastifyRequest, ScimCaller>()
const members = new WeakMap<FastifyRequest, Member>()

/**
 * Finds out who calls before anything that they sent is read.
 * @throws AppError `unauthenticated`, `forbidden`; `exhausted` for who is too fast.
 */
export async function admitScimCaller(
  authenticate: Authenticate,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { authorization } = request.headers
  const credentials = { authorization, peerCertificate: undefined, sourceAddress: request.ip }
  const { refusal, headers } = await authenticate.admit(credentials)
  if (headers !== undefined) reply.headers(headers)
  if (refusal !== undefined) throw refusal
  const member = memberOf(await authenticate(credentials))
  members.set(request, member)
  const { tenantId } = member
  const proof = authorize(member, 'account', 'provision_identities', { tenantId })
  const dryRun = request.headers[dryRunHeader]
  if (dryRun !== undefined && dryRun !== 'false') {
    throw invalidField(dryRunHeader, 'there are no dry runs over SCIM: leave the header out')
  }
  callers.set(request, { member, tenantId, proof })
}

/** @throws Error when nobody was admitted, which only a mistake of ours can cause. */
export function scimCallerOf(request: FastifyRequest): ScimCaller {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error('the request was not admitted')
  return caller
}

/** Whoever it was, let in or not, for the audit log. */
export function knownMemberOf(request: FastifyRequest): Member | undefined {
  return members.get(request)
}
