/**
 * Seconds for which resolvers keep a name. Workers resolve anew when they connect anew, so this is how long callers are led to
 * where a namespace or an edge no longer is; an edge drains for longer than that.
 */
export const nameTtlSeconds = 60

/** Where tenants reach a namespace, for ever: it is in their configuration and in our certificates. */
export function namespaceHost(namespaceId: string, domain: string): string {
  return `${namespaceId}.${domain}`
}

/**
 * The name of a cell's edges, which the names of its namespaces point at: another edge is one changed record, not a
 * thousand. Never a namespace's: tenant ids have no `l`.
 */
export function cellHost(cellId: string, domain: string): string {
  return `${cellId}.cells.${domain}`
}
