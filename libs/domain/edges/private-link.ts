/** One connection that may come in by the private listener, as the load balancer before it names the connection. */
export interface PrivateLink {
  readonly provider: 'aws' | 'gcp'
  /** AWS: a VPC endpoint's id. GCP: a PSC connection id, a decimal number of 64 bits. */
  readonly connectionId: string
}

/** A type–length–value field of a PROXY protocol v2 header. */
export interface ProxyField {
  readonly type: number
  readonly value: Uint8Array
}

/** The types in which load balancers name a private connection. */
export const linkFieldTypes: Readonly<Record<PrivateLink['provider'], number>> = { aws: 0xea, gcp: 0xe0 }
/** AWS puts several things under its type; the first byte of the value says that this is a VPC endpoint's id. */
const vpcEndpointId = 0x01

/**
 * The field in which the provider's load balancer names this connection: an AWS network load balancer writes a subtype
 * and the id as text, Google's writes the number as eight bytes, the highest first.
 * @throws RangeError for an id that is none of the provider's.
 */
export function proxyFieldOf({ provider, connectionId }: PrivateLink): ProxyField {
  const type = linkFieldTypes[provider]
  if (provider === 'aws') return { type, value: Buffer.concat([Buffer.of(vpcEndpointId), Buffer.from(connectionId)]) }
  if (!/^[0-9]{1,20}$/.test(connectionId)) throw new RangeError('a PSC connection id is a decimal number')
  const value = Buffer.alloc(8)
  value.writeBigUInt64BE(BigInt(connectionId))
  return { type, value }
}
