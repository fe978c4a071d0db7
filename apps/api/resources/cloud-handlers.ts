import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Database } from '#libs/store'
import type { ApiKeyTokens } from '../auth/api-key-tokens.ts'
import type { PageTokens } from '../paging/page-tokens.ts'
import { accountHandlers } from './account/handlers.ts'
import { apiKeyHandlers } from './api-keys/handlers.ts'
import { auditLogHandlers } from './audit-logs/handlers.ts'
import { capacityHandlers } from './capacity/handlers.ts'
import { connectivityRuleHandlers } from './connectivity-rules/handlers.ts'
import { customRoleHandlers } from './custom-roles/handlers.ts'
import { guarded } from './guarded.ts'
import { identityHandlers } from './identity/handlers.ts'
import { namespaceAssignmentHandlers } from './namespace-assignments/handlers.ts'
import { namespaceTagHandlers } from './namespace-tags/handlers.ts'
import { namespaceHandlers } from './namespaces/handlers.ts'
import { nexusEndpointHandlers } from './nexus-endpoints/handlers.ts'
import { operationHandlers } from './operations/handlers.ts'
import type { ApiHandlers } from './operations/wire.ts'
import { regionHandlers } from './regions/handlers.ts'
import { searchAttributeHandlers } from './search-attributes/handlers.ts'
import { serviceAccountHandlers } from './service-accounts/handlers.ts'
import { userGroupHandlers } from './user-groups/handlers.ts'
import { userHandlers } from './users/handlers.ts'

export interface CloudHandlersDeps {
  /** As the role aqueduct_api. */
  readonly database: Database
  readonly clock: Clock
  readonly regions: readonly Region[]
  readonly tokens: ApiKeyTokens
  readonly pageTokens: PageTokens
  /** DNS domain below which every namespace has its name. */
  readonly domain: string
  /** TCP port of every edge. */
  readonly edgePort: number
  /** Told when a user was invited: the mail can go out now. */
  readonly invitationMails: { wake(): void }
}

/** Every rpc of the Cloud Ops API that is served; what is not in here answers UNIMPLEMENTED. */
export function createCloudHandlers(deps: CloudHandlersDeps): ApiHandlers {
  return guarded({
    ...accountHandlers(deps),
    ...apiKeyHandlers(deps),
    ...auditLogHandlers(deps),
    ...capacityHandlers(deps),
    ...connectivityRuleHandlers(deps),
    ...customRoleHandlers(deps),
    ...identityHandlers(deps),
    ...namespaceAssignmentHandlers(deps),
    ...namespaceHandlers(deps),
    ...namespaceTagHandlers(deps),
    ...nexusEndpointHandlers(deps),
    ...operationHandlers(deps),
    ...regionHandlers(deps),
    ...searchAttributeHandlers(deps),
    ...serviceAccountHandlers(deps),
    ...userGroupHandlers(deps),
    ...userHandlers(deps),
  })
}
