import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { enqueue } from '#libs/jobs'
import { listServedNamespaces, listServingNodes, type Served } from '#libs/store/certificates'
import { bumpNodeGeneration, retireNode } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { pagesOf } from '../../pages.ts'
import { type CertificateDeps, ensureEdgeCertificate } from './edge-certificate.ts'
import { needsRenewal } from './needs-renewal.ts'
import { ensureNodeCertificate } from './node-certificate.ts'

export interface RenewalDeps extends CertificateDeps {
  readonly logger: Logger
}

const system = systemActor('certificate-renewal')

/**
 * Renews every certificate that we serve with, in time, or has its node replaced. A loop of its own: no reconciler that fails can stop it, and one
 * certificate that cannot be renewed stops no other.
 * @returns how many were renewed.
 */
export async function renewCertificates(deps: RenewalDeps, signal: AbortSignal): Promise<number> {
  const { all } = deps.database
  const mayList = system.authorize('certificate', 'list', { fleet: true })
  let renewed = 0
  for await (const nodes of pagesOf((page) => listServingNodes(all, mayList, page), signal)) {
    for (const node of due(deps, nodes)) {
      // Nobody can give it another one: the machine is replaced in time.
      const work = () => (node.makes_own_key ? retire(deps, node) : renewNode(deps, node.cell_id, node.id))
      renewed += await attempt(deps, { node: node.id }, work)
    }
  }
  for await (const namespaces of pagesOf((page) => listServedNamespaces(all, mayList, page), signal)) {
    for (const { id, tenant_id } of due(deps, namespaces)) {
      renewed += await attempt(deps, { namespace: id }, () => ensureEdgeCertificate(deps, tenant_id, id))
    }
  }
  return renewed
}

function due<Some extends Served>({ clock }: RenewalDeps, page: readonly Some[]): readonly Some[] {
  const now = clock.now()
  return page.filter(({ certificate }) => certificate === null || needsRenewal(certificate, now))
}

async function renewNode(deps: RenewalDeps, cellId: string, nodeId: string): Promise<boolean> {
  const { all } = deps.database
  const { renewed } = await ensureNodeCertificate(deps, cellId, nodeId)
  if (!renewed) return false
  await bumpNodeGeneration(all, system.authorize('node', 'update', { nodeId }))
  await enqueue(all, 'reconcile-node', { nodeId })
  return true
}

/** A node whose key is on its machine alone. It is replaced before its certificate ends, as a machine that is to be taken is. */
async function retire({ database, logger }: RenewalDeps, { id, certificate }: Served): Promise<boolean> {
  // It has not joined: its machine is looked after by its reconciler.
  if (certificate === null) return false
  const by = certificate.not_after
  await database.all.transaction().execute(async (trx) => {
    const proof = system.authorize('node', 'update', { nodeId: id })
    const cellId = await retireNode(trx, proof, { reason: 'certificate', by })
    if (cellId === undefined) return
    await enqueue(trx, 'reconcile-cell', { cellId })
    logger.info({ node: id, by }, 'the node is to be replaced before its certificate ends')
  })
  return false
}

/** @returns 1 when it was renewed, else 0. */
async function attempt(
  { logger }: RenewalDeps,
  subject: Readonly<Record<string, string>>,
  work: () => Promise<boolean>,
): Promise<number> {
  try {
    if (!(await work())) return 0
    logger.info(subject, 'certificate renewed')
    return 1
  } catch (thrown) {
    logger.error({ ...subject, err: coerceError(thrown) }, 'certificate not renewed')
    return 0
  }
}
