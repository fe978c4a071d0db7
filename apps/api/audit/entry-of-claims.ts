import type { Claims } from '#libs/authz'
import { assertNever } from '#libs/base'
import type { AuditEntry } from '#libs/store/audit'
import { callerRefused, type KnownCaller } from './known-caller.ts'

type Who = Pick<AuditEntry, 'tenantId' | 'principal' | 'credential'>

export const nobody: Who = { principal: { type: 'anonymous', id: '' } }

/** The caller as an entry names it. */
export function entryOfClaims(claims: Claims): Who {
  switch (claims.kind) {
    case 'user':
    case 'service_account':
      return {
        tenantId: claims.tenantId,
        principal: { type: claims.kind, id: claims.principalId },
        credential: claims.credential,
      }
    case 'operator':
      return {
        principal: { type: 'operator', id: claims.name, name: claims.name },
        credential: { kind: 'certificate', id: claims.credential.fingerprint },
      }
    case 'system':
      return { principal: { type: 'system', id: claims.actor } }
    case 'anonymous':
      return nobody
    default:
      return assertNever(claims)
  }
}

/** The same of somebody whose token is ours and was refused. */
function entryOfKnownCaller({ tenantId, principalId, keyId }: KnownCaller): Who {
  return {
    tenantId,
    principal: { type: principalId.startsWith('sa-') ? 'service_account' : 'user', id: principalId },
    credential: { kind: 'api_key', id: keyId },
  }
}

/** Who was refused with this error: by their claims when they were let in, else by the token that was refused, if it is ours. */
export function entryOfRefused(claims: Claims | undefined, error: Error): Who {
  if (claims !== undefined) return entryOfClaims(claims)
  const caller = callerRefused(error)
  return caller === undefined ? nobody : entryOfKnownCaller(caller)
}
