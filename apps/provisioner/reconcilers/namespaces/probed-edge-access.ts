import { setTimeout as sleep } from 'node:timers/promises'
import { systemActor } from '#libs/authz'
import type { Clock } from '#libs/base'
import type { Reach } from '#libs/domain/connectivity-rules'
import { type PrivateLink, proxyFieldOf, proxyHeader } from '#libs/domain/edges'
import { hasEdge, nodePorts } from '#libs/domain/nodes'
import { openAuthority, openSigningKey, probeIssuer, type TokenSigner, tokenSigner } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'
import type { Database } from '#libs/store'
import { readReach } from '#libs/store/connectivity-rules'
import type { NamespaceRow } from '#libs/store/namespaces'
import { listNodes, type NodeRow } from '#libs/store/nodes'
import { remembered } from '../../remembered.ts'
import { type EdgeProbeTarget, probeEdgeCall, probeEdgeVersion } from '../../temporal/edge-probe.ts'
import { ensureEdgeCertificate } from '../certificates/edge-certificate.ts'
import type { EdgeAccess, EdgeAnswer } from './edge-access.ts'

export interface ProbedEdgeAccessDeps {
  readonly database: Database
  readonly sealer: Sealer
  readonly clock: Clock
  /** Host names are `<namespace id>.<domain>`. */
  readonly domain: string
}

const system = systemActor('edge-probe')
/** Milliseconds that one step waits for the edge: it usually follows within a tenth of that. */
const patienceMs = 3_000
/** Milliseconds between two looks, growing from the first to the second: nearly all edges follow at once. */
const firstPauseMs = 25
const longestPauseMs = 250
const probeTimeoutMs = 2_000
const tokenLifetimeMs = 5 * 60_000

const withoutRules: Reach = { isPublic: true, privateLinks: [] }
const nowhere: Reach = { isPublic: false, privateLinks: [] }

type Look = { readonly kind: 'yes'; readonly generation: number } | { readonly kind: 'no'; readonly detail: string }

/** Asks the edges themselves, over connections of its own: "it acts" is seen, never guessed. */
export class ProbedEdgeAccess implements EdgeAccess {
  readonly #deps: ProbedEdgeAccessDeps
  readonly #signer: () => Promise<TokenSigner>
  readonly #serverCa: () => Promise<string>

  constructor(deps: ProbedEdgeAccessDeps) {
    this.#deps = deps
    const { all } = deps.database
    this.#signer = remembered(async () => tokenSigner(await openSigningKey(all, deps.sealer, { purpose: 'probe' })))
    this.#serverCa = remembered(
      async () => (await openAuthority(all, deps.sealer, { purpose: 'server' })).certificatePem,
    )
  }

  async ensureCertificate(row: NamespaceRow): Promise<void> {
    await ensureEdgeCertificate(this.#deps, row.tenant_id, row.id)
  }

  async awaitServing(
    cellId: string,
    namespaceId: string,
    generation: number,
  ): Promise<EdgeAnswer<{ readonly kind: 'serving'; readonly generation: number }>> {
    const reach = await readReach(
      this.#deps.database.all,
      system.authorize('namespace', 'update', { tenantId: tenantOf(namespaceId), namespaceId }),
    )
    const look = await this.#everyEdge(cellId, namespaceId, (target) =>
      isReached(target, reach ?? withoutRules, (way) => isServing(way, namespaceId, generation)),
    )
    return look.kind === 'yes'
      ? { kind: 'serving', generation: look.generation }
      : { kind: 'not_yet', detail: look.detail }
  }

  async awaitAbsence(cellId: string, namespaceId: string): Promise<EdgeAnswer<{ readonly kind: 'absent' }>> {
    const look = await this.#everyEdge(cellId, namespaceId, (target) => isReached(target, nowhere, isAbsent))
    return look.kind === 'yes' ? { kind: 'absent' } : { kind: 'not_yet', detail: look.detail }
  }

  async #everyEdge(
    cellId: string,
    namespaceId: string,
    look: (target: EdgeProbeTarget) => Promise<Look>,
  ): Promise<Look> {
    const nodes = await listNodes(this.#deps.database.all, system.authorize('node', 'list', { fleet: true }), cellId)
    const targets = await Promise.all(
      nodes
        .filter(isServingEdge)
        .flatMap(({ address }) => (address === null ? [] : [this.#target(address, namespaceId)])),
    )
    if (targets.length === 0) return { kind: 'no', detail: 'the cell has no edge' }
    const deadline = performance.now() + patienceMs
    const answers = await Promise.all(targets.map((target) => lookUntil(target, look, deadline)))
    return answers.find((answer) => answer.kind === 'no') ?? answers[0] ?? { kind: 'no', detail: 'no answer' }
  }

  async #target(address: string, namespaceId: string): Promise<EdgeProbeTarget> {
    const { clock, domain } = this.#deps
    const sign = await this.#signer()
    const token = await sign(
      { iss: probeIssuer, aud: namespaceId, sub: 'probe' },
      { notAfter: new Date(clock.now().getTime() + tokenLifetimeMs) },
    )
    return {
      address,
      port: nodePorts.edge,
      hostname: `${namespaceId}.${domain}`,
      caPem: await this.#serverCa(),
      token,
      timeoutMs: probeTimeoutMs,
    }
  }
}

/**
 * Whether tenants may be connected there. One that is out of order, or drains, still has what it was told last; one that never
 * was ready begins with what is to be now.
 */
function isServingEdge({ role, state, first_ready_at: readyAt }: NodeRow): boolean {
  return hasEdge(role) && (state === 'ready' || state === 'draining' || (state === 'creating' && readyAt !== null))
}

/** A wait for a condition with an end, not a retry of a call: the pass comes again when the end is reached. */
async function lookUntil(
  target: EdgeProbeTarget,
  look: (target: EdgeProbeTarget) => Promise<Look>,
  deadline: number,
): Promise<Look> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
    const seen = await look(target)
    if (seen.kind === 'yes' || performance.now() + pauseMs > deadline) return seen
    await sleep(pauseMs)
  }
}

/** Seen on every way that the rules open, and on none that they do not. `serving` looks at one that they open. */
async function isReached(
  target: EdgeProbeTarget,
  { isPublic, privateLinks }: Reach,
  serving: (way: EdgeProbeTarget) => Promise<Look>,
): Promise<Look> {
  const looks = await Promise.all([
    isPublic ? serving(target) : isAbsent(target),
    ...privateLinks.map((link) => serving(privately(target, [link]))),
    // With rules, the listener has the namespace, and whoever comes by none of them is disconnected.
    ...(privateLinks.length === 0 ? [isAbsent(privately(target, []))] : []),
  ])
  const served = looks.flatMap((look) => (look.kind === 'yes' ? [look.generation] : []))
  return looks.find((look) => look.kind === 'no') ?? { kind: 'yes', generation: Math.max(...served) }
}

function privately(target: EdgeProbeTarget, links: readonly PrivateLink[]): EdgeProbeTarget {
  return { ...target, port: nodePorts.edgePrivate, proxyHeader: proxyHeader(links.map(proxyFieldOf)) }
}

/** `<name>.<tenant id>` */
function tenantOf(namespaceId: string): string {
  return namespaceId.slice(namespaceId.lastIndexOf('.') + 1)
}

async function isServing(target: EdgeProbeTarget, namespaceId: string, generation: number): Promise<Look> {
  const version = await probeEdgeVersion(target)
  if (version.kind === 'refused') return { kind: 'no', detail: version.detail }
  if (version.generation < generation) {
    return { kind: 'no', detail: `it serves generation ${version.generation} of ${generation}` }
  }
  const call = await probeEdgeCall(target, namespaceId)
  // The edge of a suspended tenant refuses everybody, and that is what it is to do. A namespace that is at its limit was
  // asked for all the same, and is most in need of the update that raises it.
  if (call.kind === 'refused' && call.reason !== 'denied' && call.reason !== 'exhausted')
    return { kind: 'no', detail: call.detail }
  return { kind: 'yes', generation: version.generation }
}

/** No chain for the host name means no handshake. */
async function isAbsent(target: EdgeProbeTarget): Promise<Look> {
  const version = await probeEdgeVersion(target)
  if (version.kind === 'refused' && version.reason === 'handshake') return { kind: 'yes', generation: 0 }
  return { kind: 'no', detail: version.kind === 'answered' ? 'it still answers' : version.detail }
}
