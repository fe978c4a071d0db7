import { randomBytes } from 'node:crypto'
import type { Mutated } from './cloud-api.ts'
import { operator } from './operator.ts'
import type { Tenant } from './tenant.ts'

/** A namespace that works, and where its edge stands. */
export interface Namespace {
  readonly id: string
  /** `/cloud/namespaces/<id>` */
  readonly path: string
  /** What its certificate is for: server name and authority of every call. */
  readonly hostname: string
  readonly host: string
  readonly port: number
  /** From the request to FULFILLED, in milliseconds. */
  readonly createMs: number
}

export interface NamespaceOptions {
  readonly name?: string
  readonly region?: string
  /** PEM; without it there are no client certificates. */
  readonly ca?: string
  readonly apiKeys?: boolean
  readonly spec?: object
}

export async function createNamespace(tenant: Tenant, options: NamespaceOptions = {}): Promise<Namespace> {
  const began = performance.now()
  const created = await tenant.api.post<Mutated & { namespace: string }>('/cloud/namespaces', {
    spec: namespaceSpec(options),
  })
  await tenant.api.fulfilled(created)
  return found(tenant, created.namespace, performance.now() - began)
}

/** `NamespaceSpec` of the contract. */
export function namespaceSpec({ name, region, ca, apiKeys = true, spec }: NamespaceOptions): object {
  return {
    name: name ?? `test-${randomBytes(4).toString('hex')}`,
    regions: [region ?? 'aws-us-east-1'],
    retentionDays: 7,
    apiKeyAuth: { enabled: apiKeys },
    ...(ca === undefined ? {} : { mtlsAuth: mtlsAuth(ca) }),
    ...spec,
  }
}

export function mtlsAuth(ca: string, certificateFilters: readonly object[] = []): object {
  return { enabled: true, acceptedClientCa: Buffer.from(ca).toString('base64'), certificateFilters }
}

interface GetNamespace {
  readonly namespace: {
    readonly activeRegion: string
    readonly endpoints: { readonly grpcAddress?: string; readonly mtlsGrpcAddress?: string }
  }
}

async function found(tenant: Tenant, id: string, createMs: number): Promise<Namespace> {
  const path = `/cloud/namespaces/${id}`
  const { namespace } = await tenant.api.get<GetNamespace>(path)
  const endpoint = namespace.endpoints.grpcAddress || namespace.endpoints.mtlsGrpcAddress
  const [hostname = '', port = ''] = (endpoint ?? '').split(':')
  return { id, path, hostname, host: await edgeOf(namespace.activeRegion), port: Number(port), createMs }
}

/** DNS would say it: the address of the edge of a region's cell. Each region has one cell here. */
export async function edgeOf(region: string): Promise<string> {
  const { cells } = await operator<{ cells: { id: string; region: string }[] }>('GET', '/cells')
  const cell = cells.find((each) => each.region === region)
  const { nodes } = await operator<{ nodes: { address?: string }[] }>('GET', `/nodes?cellId=${cell?.id}`)
  const address = nodes[0]?.address
  if (address === undefined) throw new Error(`no node in ${region}`)
  return address
}
