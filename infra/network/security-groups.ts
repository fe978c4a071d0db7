import { type IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import { nodePorts } from '#libs/domain/nodes'
import { acknowledge } from '../acknowledge.ts'
import { controlPlanePorts } from './control-plane-ports.ts'

export interface SecurityGroupsProps {
  readonly vpc: IVpc
  readonly operatorCidrs: readonly string[]
}

/** AWS's own APIs, the package repositories of an image build, and logs. */
const https = 443
const mailPorts = [465, 587] as const
/** The VPC has no IPv6. */
const world = Peer.anyIpv4()

/**
 * Who reaches whom. A group lets nothing in and nothing out but what stands here; every rule between groups is written
 * once and made on both sides.
 */
export class SecurityGroups extends Construct {
  /** Before the API, for everybody: ends TLS. */
  readonly apiBalancer: SecurityGroup
  /** Before the API, for callers who want its own TLS. */
  readonly callersBalancer: SecurityGroup
  readonly operatorsBalancer: SecurityGroup
  /** Where nodes find discovery and join. */
  readonly nodesBalancer: SecurityGroup
  /** For the operator's own load balancers of private connections: nobody else reaches that port of an edge. */
  readonly privateBalancer: SecurityGroup
  readonly api: SecurityGroup
  readonly provisioner: SecurityGroup
  readonly discovery: SecurityGroup
  /** Every node of every cell. */
  readonly nodes: SecurityGroup
  /** Nodes that are edges, besides. */
  readonly edges: SecurityGroup
  readonly builder: SecurityGroup
  readonly productDatabase: SecurityGroup
  readonly cellsDatabase: SecurityGroup

  constructor(scope: Construct, id: string, { vpc, operatorCidrs }: SecurityGroupsProps) {
    super(scope, id)
    const group = (name: string, description: string) =>
      new SecurityGroup(this, name, { vpc, description, allowAllOutbound: false })
    this.apiBalancer = group('ApiBalancer', 'Public load balancer of the API')
    this.callersBalancer = group('CallersBalancer', 'Load balancer of the API that passes TLS through')
    this.operatorsBalancer = group('OperatorsBalancer', 'Internal load balancer of the operator API')
    this.nodesBalancer = group('NodesBalancer', 'Internal load balancer of discovery and join')
    this.privateBalancer = group('PrivateBalancer', 'Load balancers of private connections')
    this.api = group('Api', 'API')
    this.provisioner = group('Provisioner', 'Provisioner')
    this.discovery = group('Discovery', 'Discovery server of the edges')
    this.nodes = group('Node', 'Nodes of cells')
    this.edges = group('Edge', 'Edges of cells')
    this.builder = group('Builder', 'Image builds')
    this.productDatabase = group('ProductDatabase', 'Database of the control plane')
    this.cellsDatabase = group('CellsDatabase', 'Databases of cells')
    this.#publicListeners()
    this.#controlPlane(operatorCidrs)
    this.#cells()
    for (const client of [this.api, this.provisioner, this.discovery, this.nodes, this.builder]) {
      client.addEgressRule(world, Port.tcp(https), 'AWS APIs')
    }
  }

  #publicListeners(): void {
    this.apiBalancer.addIngressRule(world, Port.tcp(https), 'callers of the API')
    for (const port of [controlPlanePorts.https, controlPlanePorts.grpcTls]) {
      this.callersBalancer.addIngressRule(world, Port.tcp(port), 'callers of the API, TLS passed through')
    }
    this.edges.addIngressRule(world, Port.tcp(nodePorts.edge), 'tenants')
    const reason =
      'It is the public door, on the one port that is served there: callers of the API and tenants come from everywhere, and every call needs credentials.'
    for (const door of [this.apiBalancer, this.callersBalancer, this.edges]) {
      acknowledge(door, { 'AwsSolutions-EC23': reason })
    }
  }

  #controlPlane(operatorCidrs: readonly string[]): void {
    const { https: apiHttps, grpcTls, operator, discovery, join, postgres } = controlPlanePorts
    for (const port of [apiHttps, grpcTls]) {
      allow(this.apiBalancer, this.api, port, 'calls of the API')
      allow(this.callersBalancer, this.api, port, 'calls of the API')
    }
    for (const range of operatorCidrs) {
      this.operatorsBalancer.addIngressRule(Peer.ipv4(range), Port.tcp(operator), 'operators')
    }
    allow(this.operatorsBalancer, this.api, operator, 'operators')
    for (const port of [discovery, join]) {
      allow(this.nodes, this.nodesBalancer, port, 'nodes')
      allow(this.nodesBalancer, this.discovery, port, 'nodes')
    }
    for (const part of [this.api, this.provisioner, this.discovery]) {
      allow(part, this.productDatabase, postgres, 'database of the control plane')
    }
    for (const port of mailPorts) {
      this.api.addEgressRule(world, Port.tcp(port), 'mail server')
    }
  }

  #cells(): void {
    const { edge, edgePrivate, frontend } = nodePorts
    for (const port of betweenNodes()) {
      this.nodes.addIngressRule(this.nodes, Port.tcp(port), 'nodes of a cell')
      this.nodes.addEgressRule(this.nodes, Port.tcp(port), 'nodes of a cell')
    }
    allow(this.provisioner, this.nodes, frontend, 'API of a cell')
    for (const port of [edge, edgePrivate]) {
      allow(this.provisioner, this.edges, port, 'whether the edge serves a namespace')
    }
    allow(this.privateBalancer, this.edges, edgePrivate, 'private connections')
    for (const client of [this.nodes, this.provisioner]) {
      allow(client, this.cellsDatabase, controlPlanePorts.postgres, 'databases of cells')
    }
  }
}

/** What nodes ask each other: Temporal's services, and their gossip. Nexus and metrics are each node's own. */
function betweenNodes(): readonly number[] {
  const { frontend, frontendHttp, internalFrontend, history, matching, worker, membershipOffset } = nodePorts
  const services = [frontend, internalFrontend, history, matching, worker]
  return [frontendHttp, ...services, ...services.map((port) => port + membershipOffset)].toSorted((a, b) => a - b)
}

function allow(from: SecurityGroup, to: SecurityGroup, port: number, description: string): void {
  to.addIngressRule(from, Port.tcp(port), description)
  from.addEgressRule(to, Port.tcp(port), description)
}
