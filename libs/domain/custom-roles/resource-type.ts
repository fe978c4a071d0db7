/** What a custom role may speak of. */
export const customResourceTypes = [
  'account',
  'namespace',
  'nexus_endpoint',
  'connectivity_rule',
  'custom_role',
] as const
export type CustomResourceType = (typeof customResourceTypes)[number]

/** How a type is called on the wire (the public product's plural), in sentences, and how its ids begin. */
export const customResourceTypeNames: Readonly<
  Record<CustomResourceType, { readonly wire: string; readonly words: string; readonly idPrefix: string }>
> = {
  account: { wire: 'accounts', words: 'account', idPrefix: '' },
  namespace: { wire: 'namespaces', words: 'namespace', idPrefix: '' },
  nexus_endpoint: { wire: 'nexus-endpoints', words: 'nexus endpoint', idPrefix: 'nexus-' },
  connectivity_rule: { wire: 'connectivity-rules', words: 'connectivity rule', idPrefix: 'rule-' },
  custom_role: { wire: 'custom-roles', words: 'custom role', idPrefix: 'role-' },
}

/** Characters: what was sent is kept, and a name is as good with a million hyphens in it. */
const maxTypeAsSent = 64

/**
 * The type that a caller means. Clients write it in the plural and with hyphens, but published examples have the
 * singular (`account`), underscores and capitals, too: all of these are taken. Undefined for anything else.
 */
export function customResourceTypeNamed(text: string): CustomResourceType | undefined {
  if (text.length > maxTypeAsSent) return undefined
  const plain = (name: string) => name.toLowerCase().replace(/[-_ ]/g, '').replace(/s$/, '')
  return customResourceTypes.find((type) => plain(text) === plain(type))
}
