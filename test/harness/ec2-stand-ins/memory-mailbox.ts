import type { Clock } from '#libs/base'
import type { NodeManifest } from '#libs/domain/nodes'
import type { NodeMailbox, NodeReport } from '../../../apps/provisioner/drivers/ec2/mailbox.ts'

/** The mailbox without a database. */
export class MemoryMailbox implements NodeMailbox {
  readonly #clock: Clock
  readonly #manifests = new Map<string, NodeManifest>()
  readonly #reports = new Map<string, NodeReport>()
  /** Calls of `read`, for tests that count. */
  reads = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async put(manifest: NodeManifest): Promise<void> {
    const known = this.#manifests.get(manifest.nodeId)
    if ((known?.generation ?? -1) < manifest.generation) this.#manifests.set(manifest.nodeId, manifest)
  }

  async read(nodeIds: readonly string[]): Promise<ReadonlyMap<string, NodeReport>> {
    this.reads += 1
    return new Map(
      nodeIds.flatMap((nodeId) => {
        const report = this.#reports.get(nodeId)
        return report === undefined ? [] : [[nodeId, report]]
      }),
    )
  }

  async forget(nodeId: string): Promise<void> {
    this.#manifests.delete(nodeId)
    this.#reports.delete(nodeId)
  }

  /** What the machine fetches. */
  manifest(nodeId: string): NodeManifest | undefined {
    return this.#manifests.get(nodeId)
  }

  /** What the machine says. */
  report(nodeId: string, report: Omit<NodeReport, 'at'>): void {
    this.#reports.set(nodeId, { ...report, at: this.#clock.now() })
  }

  has(nodeId: string): boolean {
    return this.#manifests.has(nodeId) || this.#reports.has(nodeId)
  }
}
