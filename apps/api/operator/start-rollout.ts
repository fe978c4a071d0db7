import { authorize, type OperatorClaims } from '#libs/authz'
import { AppError, invalidField } from '#libs/base'
import { defaultTemporalVersion } from '#libs/config'
import { type NodeTemplate, templateHash } from '#libs/domain/nodes'
import { chooseCanary, mayFollow } from '#libs/domain/rollouts'
import { enqueue } from '#libs/jobs'
import type { Trx } from '#libs/store'
import { type CellSummary, listCellsOfRegion, lockPlacements } from '#libs/store/cells'
import { createRollout, findOpenRollout, lastDoneTemplate } from '#libs/store/rollouts'
import type { OperatorContext } from './operator-context.ts'

/** What an operator asks for. Parts of the template that are not named: see `targetOf`. */
export interface RolloutRequest extends Partial<NodeTemplate> {
  readonly region: string
  readonly canaryCellId?: string
  readonly cellsAtOnce?: number
  readonly soakSeconds?: number
  readonly nodeSeconds?: number
  readonly unwellSeconds?: number
}

/** Long enough for a machine to boot, join and find its cell, and for an edge to drain for two minutes. */
const defaultNodeSeconds = 20 * 60
const defaultSoakSeconds = 10 * 60
const defaultUnwellSeconds = 60

/**
 * Begins a rollout, or finds the one that does the same already.
 * @returns its id.
 * @throws AppError `invalid` or `precondition` that says what is in the way.
 */
export async function startRollout(
  trx: Trx,
  claims: OperatorClaims,
  context: Pick<OperatorContext, 'regions' | 'temporalVersions'>,
  wanted: RolloutRequest,
): Promise<string> {
  const mayCreate = authorize(claims, 'rollout', 'create', { fleet: true })
  const target = await targetOf(trx, context, wanted)
  await lockPlacements(trx, wanted.region)
  const open = await findOpenRollout(trx, authorize(claims, 'rollout', 'list', { fleet: true }), wanted.region)
  if (open !== undefined) {
    const isSame =
      open.state !== 'rolling_back' &&
      templateHash(open.target) === templateHash(target) &&
      (wanted.canaryCellId ?? open.canary_cell_id) === open.canary_cell_id
    if (isSame) return open.id
    throw refused(
      `the region ${open.region} has the rollout ${open.id} already, which is ${open.state}: let it end first`,
    )
  }
  const cells = await listCellsOfRegion(trx, authorize(claims, 'cell', 'list', { fleet: true }), wanted.region)
  const id = await createRollout(trx, mayCreate, {
    region: wanted.region,
    target,
    canaryCellId: canaryOf(cells, target, wanted),
    cellsAtOnce: wanted.cellsAtOnce ?? 1,
    soakSeconds: wanted.soakSeconds ?? defaultSoakSeconds,
    nodeSeconds: wanted.nodeSeconds ?? defaultNodeSeconds,
    unwellSeconds: wanted.unwellSeconds ?? defaultUnwellSeconds,
    createdBy: claims.name,
  })
  await enqueue(trx, 'reconcile-rollout', { rolloutId: id })
  return id
}

/**
 * Image and types that are not named are the region's settings' own: that is how a changed setting comes to the cells that are
 * there. The server's version is only another one when it is named.
 */
async function targetOf(
  trx: Trx,
  { regions, temporalVersions }: Pick<OperatorContext, 'regions' | 'temporalVersions'>,
  { region: id, serverVersion, image, instanceTypes }: RolloutRequest,
): Promise<NodeTemplate> {
  const region = regions.find((candidate) => candidate.id === id)
  if (region === undefined) throw invalidField('region', 'is not among AQUEDUCT_REGIONS')
  const version = serverVersion ?? (await lastDoneTemplate(trx, id))?.serverVersion ?? defaultTemporalVersion
  if (!temporalVersions.includes(version)) {
    throw invalidField('serverVersion', `is not among AQUEDUCT_TEMPORAL_RELEASES: ${temporalVersions.join(', ')} are`)
  }
  return {
    serverVersion: version,
    ...region.nodeTemplate,
    ...(image === undefined ? {} : { image }),
    ...(instanceTypes === undefined ? {} : { instanceTypes }),
  }
}

function canaryOf(cells: readonly CellSummary[], target: NodeTemplate, wanted: RolloutRequest): string {
  if (cells.length === 0) throw refused(`the region ${wanted.region} has no cells`)
  const far = cells.find((cell) => !mayFollow(cell.node_template.serverVersion, target.serverVersion))
  if (far !== undefined) {
    throw refused(
      `the cell ${far.id} runs Temporal ${far.node_template.serverVersion}: from there, ${target.serverVersion} is more than one minor version away`,
    )
  }
  const { canaryCellId } = wanted
  if (canaryCellId === undefined) {
    const chosen = chooseCanary(
      cells.map(({ id, state, namespaces }) => ({ id, namespaces, ready: state === 'ready' })),
    )
    if (chosen === undefined) throw refused(`no cell of the region ${wanted.region} is ready`)
    return chosen
  }
  const canary = cells.find((cell) => cell.id === canaryCellId)
  if (canary === undefined) throw invalidField('canaryCellId', `is no cell of the region ${wanted.region}`)
  if (canary.state !== 'ready') throw refused(`the cell ${canary.id} is ${canary.state}, and no canary`)
  return canary.id
}

function refused(message: string): AppError {
  return new AppError('precondition', message)
}
