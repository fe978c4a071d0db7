/** What the contract's groups of methods are about; the contract has their names alone. */
const descriptions: Readonly<Record<string, string>> = {
  Account: 'The account itself, its audit log, and who is calling.',
  Users: 'People of the account, and what they may do.',
  Operations: 'What a mutation set going, to be polled until it has ended.',
  Namespaces: 'Temporal namespaces: specification, state, addresses, tags, capacity.',
  'High Availability': 'Further regions of a namespace.',
  Regions: 'Where namespaces can be.',
  'API Keys': 'Tokens of users and service accounts.',
  Nexus: 'Endpoints through which namespaces call each other.',
  Groups: 'Users who share their access.',
  'Service Accounts': 'Programs of the account, and what they may do.',
  Export: 'Where the histories of closed workflows go.',
  'Connectivity Rules': 'From which networks a namespace is reached.',
  Billing: 'Usage and reports.',
  'Custom Roles': 'Roles that the account makes for itself.',
}

/** A tag object of the document. */
export function tagOf(name: string): { readonly name: string; readonly description: string } {
  return { name, description: descriptions[name] ?? `Everything about ${name.toLowerCase()}.` }
}
