import { createServer } from 'node:net'
import { freePort } from './postgres/free-port.ts'

/** The port of every listener, and the variable that sets it. */
const listeners = {
  http: 'AQUEDUCT_HTTP_PORT',
  https: 'AQUEDUCT_HTTPS_PORT',
  grpc: 'AQUEDUCT_GRPC_PORT',
  grpcTls: 'AQUEDUCT_GRPC_TLS_PORT',
  operator: 'AQUEDUCT_OPERATOR_PORT',
  discovery: 'AQUEDUCT_DISCOVERY_PORT',
  join: 'AQUEDUCT_JOIN_PORT',
  provisioner: 'AQUEDUCT_PROVISIONER_PORT',
  edge: 'AQUEDUCT_EDGE_HEALTH_PORT',
} as const

export type Ports = Readonly<Record<keyof typeof listeners, number>>

/** What `<data>/addresses.json` holds while the product runs: URLs, and `host:port` for gRPC. */
export interface Addresses {
  readonly http: string
  readonly https: string
  readonly grpc: string
  readonly grpcTls: string
  readonly operator: string
  readonly discovery: string
  readonly join: string
  /** Health and metrics, as the next. */
  readonly provisioner: string
  readonly edge: string
}

/**
 * Sees that nobody has the ports, and picks one for each 0.
 * @throws Error that names each port that is taken and the variable that changes it.
 */
export async function choosePorts(wanted: Ports): Promise<Ports> {
  const taken: string[] = []
  const chosen: Record<string, number> = {}
  for (const [name, variable] of Object.entries(listeners) as [keyof Ports, string][]) {
    const port = wanted[name]
    if (port !== 0 && !(await isFree(port))) taken.push(`${port} (${variable})`)
    // A free port is known only by having it for a moment; none may be picked twice.
    let picked = port
    while (picked === 0 || (port === 0 && Object.values(chosen).includes(picked))) picked = await freePort()
    chosen[name] = picked
  }
  if (taken.length > 0) {
    throw new Error(
      `Something else listens on 127.0.0.1 port ${taken.join(', ')}. Set the variable to another port, or to 0 for any that is free.`,
    )
  }
  return chosen as unknown as Ports
}

/** The variables that tell the parts where to listen. */
export function portVariables(ports: Ports): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (Object.entries(listeners) as [keyof Ports, string][]).map(([name, variable]) => [variable, String(ports[name])]),
  )
}

export function addressesOf(ports: Ports): Addresses {
  const host = '127.0.0.1'
  return {
    http: `http://${host}:${ports.http}`,
    https: `https://${host}:${ports.https}`,
    grpc: `${host}:${ports.grpc}`,
    grpcTls: `${host}:${ports.grpcTls}`,
    operator: `https://${host}:${ports.operator}`,
    discovery: `https://${host}:${ports.discovery}`,
    join: `https://${host}:${ports.join}`,
    provisioner: `http://${host}:${ports.provisioner}`,
    edge: `http://${host}:${ports.edge}`,
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return await new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
