/** Fields of requests that name what a call is about. Nothing else of a request goes into the audit log. */
const idFields: ReadonlySet<string> = new Set([
  'namespace',
  'namespaceId',
  'userId',
  'groupId',
  'serviceAccountId',
  'keyId',
  'roleId',
  'endpointId',
  'connectivityRuleId',
  'ruleId',
  'asyncOperationId',
  'region',
  'name',
  'ownerId',
  'principalId',
])
const maxLength = 256

/** The ids in a request, by the contract's names, those of its spec included. */
export function targetIds(request: object): Readonly<Record<string, string>> {
  const { spec } = request as { readonly spec?: unknown }
  return { ...(typeof spec === 'object' && spec !== null ? idsIn(spec) : {}), ...idsIn(request) }
}

function idsIn(message: object): Record<string, string> {
  const ids: Record<string, string> = {}
  for (const [field, value] of Object.entries(message)) {
    if (idFields.has(field) && typeof value === 'string' && value !== '') ids[field] = value.slice(0, maxLength)
  }
  return ids
}
