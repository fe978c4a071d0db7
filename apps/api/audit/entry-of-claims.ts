import type { Claims } from '#libs/authz'
import { assertNever } from '#libs/base'
import type { AuditEntry } from '#libs/store/audit'
import type { KnownCaller } from './known-caller.ts'

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
export function entryOfKnownCaller({ tenantId, principalId, keyId }: KnownCaller): Who {
  return {
    tenantId,
    principal: { type: principalId.startsWith('sa-') ? 'service_account' : 'user', id: principalId },
    credential: { kind: 'api_key', id: keyId },
  }
}
