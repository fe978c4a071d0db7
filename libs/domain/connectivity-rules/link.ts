import type { PrivateLink } from '#libs/domain/edges'
import type { ConnectivityRuleSpec } from './spec.ts'

/** Whose load balancer names the connections of this region; undefined: nobody's that the edge understands. */
export function linkProviderOf(region: string): PrivateLink['provider'] | undefined {
  if (region.startsWith('aws-')) return 'aws'
  return region.startsWith('gcp-') ? 'gcp' : undefined
}

/** How a namespace with these rules is reached; undefined without a rule: over the public listener alone. */
export interface Reach {
  readonly isPublic: boolean
  /** Sorted, and none twice. */
  readonly privateLinks: readonly PrivateLink[]
}

/**
 * @param ruleIds that the namespace's spec names.
 * @param rules those of them that were found. Fewer than were named open less, never more: a namespace whose every rule
 * is missing is reached by nobody.
 */
export function reachOf(ruleIds: readonly string[], rules: readonly ConnectivityRuleSpec[]): Reach | undefined {
  if (ruleIds.length === 0) return undefined
  const links = rules.flatMap((rule): PrivateLink[] => {
    if (rule.kind === 'public') return []
    const provider = linkProviderOf(rule.region)
    return provider === undefined ? [] : [{ provider, connectionId: rule.connectionId }]
  })
  const unique = new Map(links.map((link) => [`${link.provider} ${link.connectionId}`, link]))
  return {
    isPublic: rules.some((rule) => rule.kind === 'public'),
    privateLinks: [...unique.keys()].sort().flatMap((key) => unique.get(key) ?? []),
  }
}
