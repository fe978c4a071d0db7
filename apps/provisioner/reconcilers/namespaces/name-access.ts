/** The names of namespaces, as far as a namespace's reconciler has to do with them. */
export interface NameAccess {
  /** What the name of a namespace on this cell is to point at; undefined where nobody keeps names. */
  targetOf(region: string, cellId: string): string | undefined
  /** @throws DnsError `foreign` when somebody else has the name */
  publish(region: string, namespaceId: string, target: string): Promise<void>
  withdraw(region: string, namespaceId: string): Promise<void>
}
