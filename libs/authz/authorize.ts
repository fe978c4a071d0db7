import { AppError, notFound } from '#libs/base'
import { type Actor, Authorized } from './authorized.ts'
import type { Claims, SystemClaims } from './claims.ts'
import { decide } from './decide.ts'
import type { Action, Resource } from './policy.ts'
import type { Target } from './target.ts'

/**
 * The one way to a proof. Ids come straight from the request: nothing is loaded first, and the store filters by the
 * proof's target and limit, so what is not there and what may not be seen end alike.
 *
 * @throws AppError `unauthenticated` for anonymous callers; `not_found` for what the caller may not see; `forbidden`
 * for what it may see but not do. See docs/http-status-codes.md.
 */
export function authorize<R extends Resource, A extends Action<R>>(
  claims: Claims,
  resource: R,
  action: A,
  target: Target<R, A>,
): Authorized<R, A> {
  const limit = decide(claims, resource, action, target)
  if (limit !== undefined) return new Authorized(resource, action, target, limit, actorOf(claims))
  if (claims.kind === 'anonymous') throw new AppError('unauthenticated', 'credentials are missing')
  const context = { resource, action, target, actor: actorOf(claims) }
  const isSeen = action === 'list' ? isOwn(claims, target) : decide(claims, resource, 'read', target) !== undefined
  if (!isSeen) throw hidden(resource, target, context)
  if (action === 'list') throw new AppError('forbidden', `you may not list ${words(resource)}s`, { context })
  // `update` this namespace; `create_api_key` for this user.
  const onto = action.includes('_') ? ' for' : ''
  throw new AppError('forbidden', `you may not ${words(action)}${onto} this ${words(resource)}`, { context })
}

/** Proofs for the provisioner, which acts for nobody; the policy's `system` entries bound what it may do. */
export function systemActor(name: string): {
  readonly authorize: <R extends Resource, A extends Action<R>>(
    resource: R,
    action: A,
    target: Target<R, A>,
  ) => Authorized<R, A>
} {
  const claims: SystemClaims = Object.freeze({ kind: 'system', actor: name })
  return Object.freeze({
    authorize: <R extends Resource, A extends Action<R>>(resource: R, action: A, target: Target<R, A>) =>
      authorize(claims, resource, action, target),
  })
}

function actorOf(claims: Claims): Actor {
  switch (claims.kind) {
    case 'user':
    case 'service_account':
      return { kind: claims.kind, id: claims.principalId }
    case 'operator':
      return { kind: 'operator', id: claims.name }
    case 'system':
      return { kind: 'system', id: claims.actor }
    case 'anonymous':
      return { kind: 'anonymous', id: '' }
  }
}

/** A list says nothing by being there: who may not have it is told so, of the own tenant and, operators, of the fleet. */
function isOwn(claims: Claims, target: object): boolean {
  if ('tenantId' in claims) return 'tenantId' in target && target.tenantId === claims.tenantId
  return claims.kind === 'operator' && 'fleet' in target
}

/** Reads just as the store's own "not found" for the same id, so that the answer tells nothing. */
function hidden(resource: string, target: object, context: Readonly<Record<string, unknown>>): AppError {
  const id = Object.entries(target).findLast(([, value]) => typeof value === 'string')?.[1]
  return new AppError('not_found', notFound(words(resource), String(id ?? '')).message, { context })
}

function words(name: string): string {
  return name.replaceAll('_', ' ')
}
