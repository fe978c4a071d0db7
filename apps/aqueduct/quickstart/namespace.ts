import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeFileAtomic } from '#libs/processes'
import type { ClientCertificate } from './certificates.ts'
import { callEdge, describeNamespaceFrame, type EdgeEndpoint } from './edge-call.ts'
import type { Telling } from './narrator.ts'
import { silent } from './narrator.ts'
import type { Tenant } from './sign-up.ts'
import { operatorOf, type World } from './world.ts'

export interface Namespace {
  readonly id: string
  readonly endpoint: EdgeEndpoint
}

interface Operation {
  readonly id: string
  readonly state: string
  readonly failureReason?: string
}

const pollMs = 250
/** Far beyond the operation's own deadline matters less than that a person is not kept waiting for nothing. */
const limitMs = 5 * 60_000

/** Creates a namespace that takes certificates of `certificate`'s CA, and API keys; waits until it works. */
export async function createNamespace(
  world: World,
  tenant: Tenant,
  region: string,
  certificate: ClientCertificate,
  telling: Telling,
): Promise<Namespace> {
  const { api, running } = world
  const { https } = running.addresses
  const { apiKeyFile } = tenant
  const bodyFile = join(tenant.directory, 'namespace.json')
  const body = {
    // Whoever sends the same again gets the same operation.
    asyncOperationId: randomUUID(),
    spec: {
      name: 'quickstart',
      regions: [region],
      retentionDays: 1,
      mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(certificate.caPem).toString('base64') },
      apiKeyAuth: { enabled: true },
    },
  }
  await writeFileAtomic(bodyFile, `${JSON.stringify(body, null, 2)}\n`, { mode: 0o644 })
  const began = performance.now()
  const created = await api.call<{ readonly namespace: string; readonly asyncOperation: Operation }>(
    { method: 'POST', url: `${https}/cloud/namespaces`, apiKeyFile, body: { file: bodyFile } },
    telling,
  )
  const poll = { url: `${https}/cloud/operations/${created.asyncOperation.id}`, apiKeyFile }
  let operation = created.asyncOperation
  let told = telling
  while (operation.state !== 'STATE_FULFILLED') {
    if (!['STATE_PENDING', 'STATE_IN_PROGRESS'].includes(operation.state)) {
      throw new Error(`the operation ended as ${operation.state}: ${operation.failureReason ?? 'no reason is given'}`)
    }
    if (performance.now() - began > limitMs) throw new Error(`the operation is still ${operation.state}`)
    telling.progress(`the operation is ${operation.state}`)
    await delay(pollMs, undefined, { signal: world.signal })
    operation = (await api.call<{ readonly asyncOperation: Operation }>(poll, told)).asyncOperation
    told = { ...telling, command: () => undefined }
  }
  const get = { url: `${https}/cloud/namespaces/${created.namespace}`, apiKeyFile }
  const { namespace } = await api.call<{ readonly namespace: { readonly endpoints: { mtlsGrpcAddress: string } } }>(
    get,
    silent,
  )
  const { mtlsGrpcAddress } = namespace.endpoints
  const endpoint = await findEdge(world, created.namespace, mtlsGrpcAddress, certificate)
  telling.result(`${created.namespace} is FULFILLED: a call through its edge has answered. It trusts the CA of step 5.`)
  telling.result(`its address is ${mtlsGrpcAddress}; DNS does not know that here: it is ${endpoint.host}`)
  return { id: created.namespace, endpoint }
}

/**
 * DNS knows no names below a local domain. The operator sees the nodes' addresses; which cell a namespace is in is
 * nobody's business, so the one that answers for it is it.
 */
async function findEdge(
  world: World,
  id: string,
  address: string,
  { certificateFile, keyFile }: ClientCertificate,
): Promise<EdgeEndpoint> {
  const { api, running } = world
  const [serverName = '', port = ''] = address.split(':')
  const url = `${running.addresses.operator}/operator/v1/nodes`
  const { nodes } = await api.call<{ nodes: { address?: string; state: string }[] }>(
    { url, identity: operatorOf(world) },
    silent,
  )
  const ca = readFileSync(running.credentials.caFile, 'utf8')
  const caller = { certificate: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
  const hosts = nodes.flatMap((node) => (node.state === 'ready' && node.address !== undefined ? [node.address] : []))
  const said: string[] = []
  for (const host of hosts) {
    const endpoint = { host, port: Number(port), serverName }
    const outcome = await callEdge(endpoint, ca, caller, describeNamespaceFrame(id))
    if (outcome.kind === 'answered' && outcome.code === 0) return endpoint
    said.push(`${host}: ${outcome.kind === 'answered' ? outcome.text : outcome.reason}`)
  }
  throw new Error(`no node answers for ${serverName} (${said.join('; ') || 'there is no node'})`)
}
