import { coerceError } from '#libs/base'
import type { RefusalBatch } from '#libs/domain/edges'
import type { Logger } from '#libs/telemetry'
import { Allowance } from '../allowance.ts'
import type { DiscoveryMetrics } from '../discovery/discovery-metrics.ts'
import type { NodeIdentity } from '../discovery/node-identity.ts'
import { readRefusalBatch } from './read-batch.ts'
import type { Recorded } from './record-refusals.ts'

interface RefusalsTakerDeps {
  readonly recordRefusals: (node: NodeIdentity, batch: RefusalBatch) => Promise<Recorded>
  readonly logger: Logger
  readonly metrics: DiscoveryMetrics
}

interface RefusalsAnswer {
  readonly status: 204 | 400 | 429 | 503
  readonly message?: string
}

/** A node folds what is equal, and a sound one stays far below; one that was taken over fills no disk. */
const refusals = { burst: 5_000, perSecond: 50 }

/** Takes batches of refusals from nodes whose certificates were looked at already. */
export function refusalsTaker(deps: RefusalsTakerDeps): (node: NodeIdentity, body: unknown) => Promise<RefusalsAnswer> {
  const { logger, metrics } = deps
  const allowance = new Allowance(refusals)
  return async (node, body) => {
    let batch: RefusalBatch
    try {
      batch = readRefusalBatch(body)
    } catch (thrown) {
      const { message } = coerceError(thrown)
      logger.warn({ ...node, reason: message }, 'a node sent a batch of refusals that is none')
      metrics.refusals.inc({ result: 'malformed' })
      return { status: 400, message }
    }
    const { length } = batch.refusals
    if (!allowance.take(node.nodeId, length, performance.now())) {
      metrics.refusals.inc({ result: 'too_many' }, length)
      return { status: 429, message: 'too many refusals: send them later' }
    }
    try {
      const { recorded, leftOut } = await deps.recordRefusals(node, batch)
      metrics.refusals.inc({ result: 'recorded' }, recorded)
      metrics.refusals.inc({ result: 'left_out' }, leftOut)
      metrics.refusals.inc({ result: 'repeated' }, length - recorded - leftOut)
      if (leftOut > 0) logger.warn({ ...node, leftOut }, 'a node told of namespaces that are not on its cell')
      return { status: 204 }
    } catch (thrown) {
      logger.error({ err: thrown, ...node }, 'refusals cannot be written: the node keeps them')
      metrics.refusals.inc({ result: 'failed' }, length)
      return { status: 503, message: 'the audit log cannot be written now' }
    }
  }
}
