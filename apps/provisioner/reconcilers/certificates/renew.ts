import { systemActor } from '#libs/authz'
import { coerceError } from '#libs/base'
import { enqueue } from '#libs/jobs'
import { listServedNamespaces } from '#libs/store/namespaces'
import { bumpNodeGeneration, listNodes } from '#libs/store/nodes'
import type { Logger } from '#libs/telemetry'
import { type CertificateDeps, ensureEdgeCertificate } from './edge-certificate.ts'
import { ensureNodeCertificate } from './node-certificate.ts'

export interface RenewalDeps extends CertificateDeps {
  readonly logger: Logger
}

const system = systemActor('certificate-renewal')
const page = 500

/**
 * Renews every certificate that we serve with, in time. A loop of its own: no reconciler that fails can stop it, and one
 * certificate that cannot be renewed stops no other.
 */
export async function renewCertificates(deps: RenewalDeps): Promise<number> {
  let renewed = 0
  const attempt = async (subject: Readonly<Record<string, string>>, work: () => Promise<boolean>) => {
    try {
      if (await work()) {
        renewed += 1
        deps.logger.info(subject, 'certificate renewed')
      }
    } catch (thrown) {
      deps.logger.error({ ...subject, err: coerceError(thrown) }, 'certificate not renewed')
    }
  }
  const { all } = deps.database
  for (const node of await listNodes(all, system.authorize('node', 'list', { fleet: true }), undefined)) {
    await attempt({ node: node.id }, async () => {
      const { renewed: isNew } = await ensureNodeCertificate(deps, node.cell_id, node.id)
      if (!isNew) return false
      await bumpNodeGeneration(all, system.authorize('node', 'update', { nodeId: node.id }))
      await enqueue(all, 'reconcile-node', { nodeId: node.id })
      return true
    })
  }
  const mayList = system.authorize('certificate', 'list', { fleet: true })
  for (let after = ''; ; ) {
    const namespaces = await listServedNamespaces(all, mayList, { after, limit: page })
    for (const { id, tenant_id } of namespaces) {
      await attempt({ namespace: id }, () => ensureEdgeCertificate(deps, tenant_id, id))
    }
    const last = namespaces.at(-1)
    if (last === undefined || namespaces.length < page) return renewed
    after = last.id
  }
}
