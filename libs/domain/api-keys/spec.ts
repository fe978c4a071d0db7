import type { Problem } from '#libs/base'
import { lineMistake, paragraphMistake } from '#libs/domain/users'

/** What a key is; the token itself is shown once and kept nowhere. It carries no permissions: its owner has them. */
export interface ApiKeySpec {
  readonly ownerId: string
  readonly ownerType: 'user' | 'service_account'
  readonly displayName: string
  readonly description: string
  /** To the second: clients compare it. */
  readonly expiresAt: Date
  readonly disabled: boolean
}

/** A disabled key stays `active`, as clients expect. `deleted` is a tombstone that the edge's deny list is made from. */
export type ApiKeyState = 'active' | 'expired' | 'deleted'

export function apiKeyState(key: { readonly deleted: boolean; readonly expiresAt: Date }, now: Date): ApiKeyState {
  if (key.deleted) return 'deleted'
  return key.expiresAt <= now ? 'expired' : 'active'
}

/** How many keys that have not expired one owner may have: the published limits. */
export function apiKeyLimit(ownerType: ApiKeySpec['ownerType']): number {
  return ownerType === 'user' ? 10 : 20
}

/** Two calendar years from now: the longest life of a key. */
function latestExpiry(now: Date): Date {
  const latest = new Date(now)
  latest.setUTCFullYear(latest.getUTCFullYear() + 2)
  return latest
}

export function validateApiKeySpec(spec: ApiKeySpec, now: Date): Problem[] {
  const problems = validateTexts(spec)
  if (spec.ownerId === '') problems.push({ field: 'spec.owner_id', message: 'must be given' })
  const expiry = spec.expiresAt.getTime()
  if (Number.isNaN(expiry)) problems.push({ field: 'spec.expiry_time', message: 'must be given' })
  else if (expiry <= now.getTime()) problems.push({ field: 'spec.expiry_time', message: 'must lie in the future' })
  else if (expiry > latestExpiry(now).getTime()) {
    problems.push({ field: 'spec.expiry_time', message: 'must be at most two years from now' })
  }
  return problems
}

/** Owner and expiry stand in the token, which cannot be called back: they never change. */
export function validateApiKeyUpdate(current: ApiKeySpec, next: ApiKeySpec): Problem[] {
  const problems = validateTexts(next)
  if (next.ownerId !== current.ownerId) problems.push({ field: 'spec.owner_id', message: 'cannot be changed' })
  if (next.ownerType !== current.ownerType) problems.push({ field: 'spec.owner_type', message: 'cannot be changed' })
  if (seconds(next.expiresAt) !== seconds(current.expiresAt)) {
    problems.push({ field: 'spec.expiry_time', message: 'cannot be changed' })
  }
  if (problems.length > 0) return problems
  const same =
    next.displayName === current.displayName &&
    next.description === current.description &&
    next.disabled === current.disabled
  return same ? [{ field: 'spec', message: 'nothing to change' }] : []
}

function validateTexts(spec: ApiKeySpec): Problem[] {
  const problems: Problem[] = []
  const name = lineMistake(spec.displayName, 1, 128)
  if (name !== undefined) problems.push({ field: 'spec.display_name', message: name })
  const description = paragraphMistake(spec.description, 0, 512)
  if (description !== undefined) problems.push({ field: 'spec.description', message: description })
  return problems
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
