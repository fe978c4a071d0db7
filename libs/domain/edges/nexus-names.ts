import { createHmac } from 'node:crypto'

/**
 * The names by which a cell's history service reaches the Nexus router of its own node. All of them are host names below
 * one domain that no DNS knows: the history service's HTTP goes through its node's Envoy as its proxy, and nowhere else.
 */
const domain = 'nexus.aqueduct.internal'

/** What the names and passwords of one cell are derived from. Never leaves the control plane itself. */
export type NexusSecret = string

/** The URL that an endpoint's name has on every cell. Hexadecimal, since host names are the same in any case. */
export function nexusEndpointUrl(name: string): string {
  return `http://${nexusEndpointHost(name)}`
}

export function nexusEndpointHost(name: string): string {
  return `${Buffer.from(name, 'utf8').toString('hex')}.endpoint.${domain}`
}

/** Where an endpoint says which generation of it is served. */
export function nexusProbeHost(endpointId: string): string {
  return `${endpointId}.probe.${domain}`
}

/** Where handlers complete operations of one calling namespace; who was never called by it cannot know the name. */
export function nexusCallbackHost(secret: NexusSecret, namespaceId: string): string {
  return `${derived(secret, 'callback', namespaceId)}.callback.${domain}`
}

/** Callback addresses that workflows may be started with, as the server's setting `callback.allowedAddresses` wants it. */
export const nexusCallbackPattern = `*.callback.${domain}`

/** The header `proxy-authorization` without which the router answers nothing. */
export function nexusProxyAuthorization(secret: NexusSecret): string {
  return `Basic ${Buffer.from(`${proxyUser}:${proxyPassword(secret)}`).toString('base64')}`
}

/** For the environment of temporal-server: `HTTP_PROXY`. */
export function nexusProxyUrl(secret: NexusSecret, address: string, port: number): string {
  return `http://${proxyUser}:${proxyPassword(secret)}@${address}:${port}`
}

/**
 * Stands before the operation tokens that an endpoint's handlers give out, so that a cancellation, which names no
 * caller, finds its way back to them and to nobody else.
 */
export function nexusTokenPrefix(secret: NexusSecret, endpointId: string): string {
  return `${endpointId}.${derived(secret, 'operation', endpointId)}.`
}

const proxyUser = 'history'

function proxyPassword(secret: NexusSecret): string {
  return derived(secret, 'proxy', '')
}

function derived(secret: NexusSecret, purpose: string, about: string): string {
  return createHmac('sha256', secret).update(`${purpose}\0${about}`).digest('hex').slice(0, 40)
}
