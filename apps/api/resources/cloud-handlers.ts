import type { Clock } from '#libs/base'
import type { Region } from '#libs/config'
import type { Database } from '#libs/store'
import type { ApiKeyTokens } from '../auth/api-key-tokens.ts'
import type { PageTokens } from '../paging/page-tokens.ts'
import { accountHandlers } from './account/handlers.ts'
import { apiKeyHandlers } from './api-keys/handlers.ts'
import { connectivityRuleHandlers } from './connectivity-rules/handlers.ts'
import { guarded } from './guarded.ts'
import { identityHandlers } from './identity/handlers.ts'
import { namespaceHandlers } from './namespaces/handlers.ts'
import { operationHandlers } from './operations/handlers.ts'
import type { ApiHandlers } from './operations/wire.ts'
import { regionHandlers } from './regions/handlers.ts'
import { serviceAccountHandlers } from './service-accounts/handlers.ts'

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
}

/** Every rpc of the Cloud Ops API that is served; what is not in here answers UNIMPLEMENTED. */
export function createCloudHandlers(deps: CloudHandlersDeps): ApiHandlers {
  return guarded({
    ...accountHandlers(deps),
    ...apiKeyHandlers(deps),
    ...connectivityRuleHandlers(deps),
    ...identityHandlers(deps),
    ...namespaceHandlers(deps),
    ...operationHandlers(deps),
    ...regionHandlers(deps),
    ...serviceAccountHandlers(deps),
  })
}
