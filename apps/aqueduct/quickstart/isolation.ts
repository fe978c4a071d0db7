import { readFileSync } from 'node:fs'
import { type ClientCertificate, certificateForOwnKey } from './certificates.ts'
import { commandText } from './command-text.ts'
import {
  callEdge,
  describeNamespaceFrame,
  describeNamespacePath,
  type EdgeCaller,
  type EdgeOutcome,
} from './edge-call.ts'
import type { Namespace } from './namespace.ts'
import { silent, type Telling } from './narrator.ts'
import { ApiRefused } from './public-api.ts'
import { acceptInvitation, approve, joinWaitlist, type Person, type Tenant } from './sign-up.ts'
import type { World } from './world.ts'

/** What gRPC calls the codes that the edge answers strangers with. */
const codeNames: Readonly<Record<number, string>> = { 0: 'OK', 7: 'PERMISSION_DENIED', 16: 'UNAUTHENTICATED' }

interface Attempt {
  readonly who: string
  readonly caller: EdgeCaller
  /** Whether the edge answered as it has to. */
  readonly expected: (outcome: EdgeOutcome) => boolean
}

export interface Theirs {
  readonly tenant: Tenant
  readonly spareCertificate: ClientCertificate
  readonly namespace: Namespace
}

/**
 * One call, DescribeNamespace of the first tenant's namespace, by everybody who must not make it; and by the first
 * tenant, since a refusal proves something only where the right caller gets in.
 * @throws Error that says who got in, or who was refused otherwise than they should be.
 */
export async function proveIsolation(world: World, theirs: Theirs, stranger: Person, telling: Telling): Promise<void> {
  const { tenant, spareCertificate, namespace } = theirs
  telling.progress('the second tenant signs up')
  const entryId = await joinWaitlist(world, stranger, silent)
  const other = await acceptInvitation(world, await approve(world, stranger, entryId, silent), silent)
  const otherCertificate = await certificateForOwnKey(world, other, 'worker', silent)
  telling.result(`the second tenant, ${other.id}, came in by steps 1 to 3 and 5`)
  telling.progress('strangers try')

  const ca = readFileSync(world.running.credentials.caFile, 'utf8')
  const frame = describeNamespaceFrame(namespace.id)
  const refusedWith = (code: number) => (outcome: EdgeOutcome) => outcome.kind === 'answered' && outcome.code === code
  const letIn = refusedWith(0)
  const attempts: readonly Attempt[] = [
    { who: 'the certificate whose key was made for it', caller: certified(spareCertificate), expected: letIn },
    { who: 'its own API key', caller: keyed(tenant), expected: letIn },
    {
      who: "the second tenant's certificate",
      caller: certified(otherCertificate),
      expected: ({ kind }) => kind === 'disconnected',
    },
    { who: "the second tenant's API key", caller: keyed(other), expected: refusedWith(7) },
    { who: 'nothing at all', caller: {}, expected: refusedWith(16) },
    {
      who: `header x-principal: ${tenant.userId}`,
      caller: { headers: { 'x-principal': tenant.userId } },
      expected: refusedWith(16),
    },
  ]
  for (const { who, caller, expected } of attempts) {
    const outcome = await callEdge(namespace.endpoint, ca, caller, frame)
    if (!expected(outcome)) throw new Error(`with ${who}, the edge should not have said: ${said(outcome)}`)
    telling.result(`${expected === letIn ? 'let in ' : 'refused'}  with ${who.padEnd(46)} ${said(outcome)}`)
  }
  telling.result(
    `refused  with ${"the second tenant's API key, at the API".padEnd(46)} ${await atTheApi(world, other, namespace)}`,
  )

  telling.command(edgeCommand(world, namespace, tenant))
}

async function atTheApi({ api, running }: World, other: Tenant, { id }: Namespace): Promise<string> {
  try {
    await api.call({ url: `${running.addresses.https}/cloud/namespaces/${id}`, apiKeyFile: other.apiKeyFile }, silent)
  } catch (thrown) {
    if (thrown instanceof ApiRefused && thrown.status === 404) return `404 ${thrown.reason}`
    throw thrown
  }
  throw new Error("the API showed the second tenant the first one's namespace")
}

function certified({ certificateFile, keyFile }: ClientCertificate): EdgeCaller {
  return { certificate: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

function keyed({ apiKeyFile }: Tenant): EdgeCaller {
  return { headers: { authorization: `Bearer ${readFileSync(apiKeyFile, 'utf8').trim()}` } }
}

function said(outcome: EdgeOutcome): string {
  if (outcome.kind === 'disconnected') return `TLS handshake: ${outcome.reason}`
  const name = codeNames[outcome.code] ?? `gRPC status ${outcome.code}`
  return outcome.text === '' ? name : `${name}: ${outcome.text}`
}

/** The spoofed header; the other attempts differ in what they show. Nobody reads a message that is refused, so there is none. */
function edgeCommand(world: World, { endpoint }: Namespace, { userId }: Tenant): string {
  const { serverName, host, port } = endpoint
  return commandText([
    `curl --http2 --cacert ${world.shown(world.running.credentials.caFile)}`,
    `--resolve ${serverName}:${port}:${host}`,
    `https://${serverName}:${port}${describeNamespacePath}`,
    `-H 'Content-Type: application/grpc' -H 'TE: trailers'`,
    `-H 'x-principal: ${userId}'`,
    '-X POST -D - -o /dev/null',
  ])
}
