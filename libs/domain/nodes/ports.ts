/**
 * TCP ports of a node, all on its address. The same on every node: nodes differ by address, so one Envoy cluster, one
 * firewall rule and one probe fit all.
 */
export interface NodePorts {
  /** Envoy: the only one that tenants reach over the internet. */
  readonly edge: number
  /** Envoy once more: for the load balancers of private connections, whose word on who connects it takes. */
  readonly edgePrivate: number
  /** Plain gRPC with the JWT authorizer: for Envoy and the provisioner. */
  readonly frontend: number
  /** The frontend's HTTP API, with the same authorizer: for Envoy's Nexus router. */
  readonly frontendHttp: number
  /** Without an authorizer, hence behind the cell's mutual TLS. */
  readonly internalFrontend: number
  readonly history: number
  readonly matching: number
  readonly worker: number
  /** Gossip of each service is on its own port plus this. */
  readonly membershipOffset: number
  /** Prometheus. */
  readonly metrics: number
  /** Envoy's Nexus router: for the node's own history service, which knows the password. */
  readonly nexus: number
}

export const nodePorts: NodePorts = Object.freeze({
  edge: 7233,
  edgePrivate: 7234,
  frontend: 7243,
  history: 7244,
  matching: 7245,
  internalFrontend: 7246,
  worker: 7249,
  membershipOffset: 100,
  frontendHttp: 7247,
  metrics: 7250,
  nexus: 7251,
})

/** Every port that a node listens on: what an address must have free. */
export function allPorts(ports: NodePorts): readonly number[] {
  const { edge, edgePrivate, frontendHttp, metrics, nexus, membershipOffset, ...services } = ports
  const grpc = Object.values(services)
  return [edge, edgePrivate, frontendHttp, metrics, nexus, ...grpc, ...grpc.map((port) => port + membershipOffset)]
}
