/**
 * TCP ports of a node, all on its address. The same on every node: nodes differ by address, so one Envoy cluster, one
 * firewall rule and one probe fit all.
 */
export interface NodePorts {
  /** Envoy: the only one that tenants reach. */
  readonly edge: number
  /** Plain gRPC with the JWT authorizer: for Envoy and the provisioner. */
  readonly frontend: number
  /** Without an authorizer, hence behind the cell's mutual TLS. */
  readonly internalFrontend: number
  readonly history: number
  readonly matching: number
  readonly worker: number
  /** Gossip of each service is on its own port plus this. */
  readonly membershipOffset: number
  /** Prometheus. */
  readonly metrics: number
}

export const nodePorts: NodePorts = Object.freeze({
  edge: 7233,
  frontend: 7243,
  history: 7244,
  matching: 7245,
  internalFrontend: 7246,
  worker: 7249,
  membershipOffset: 100,
  metrics: 7250,
})

/** Every port that a node listens on: what an address must have free. */
export function allPorts(ports: NodePorts): readonly number[] {
  const { edge, metrics, membershipOffset, ...services } = ports
  const grpc = Object.values(services)
  return [edge, metrics, ...grpc, ...grpc.map((port) => port + membershipOffset)]
}
