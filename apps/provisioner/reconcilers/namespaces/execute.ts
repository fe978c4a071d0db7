import { assertNever } from '#libs/base'
import type { NamespaceStep } from '#libs/domain/namespaces'
import { StaleWriterError } from '#libs/store'
import { isMoving } from '#libs/store/moves'
import { doubtNamespace, recordNamespace } from '#libs/store/namespaces'
import { CellError, type CellNamespaceChange } from '../../temporal/cell-client.ts'
import { again, type Next, settled } from '../next.ts'
import { askLimits, awaitLimits } from './limits.ts'
import type { CellRecord } from './observed.ts'
import type { StepDeps, StepTarget } from './step-target.ts'

/** How long to wait before looking again, in milliseconds, when the edge did not follow within the step's own patience. */
const edgeLagsMs = 250
const cellDeletesMs = 250
const nameLagsMs = 500
const moveEndsMs = 500

/** Executes one step: says `unknown` before the outward call, and what was seen after it. */
export async function executeStep(deps: StepDeps, target: StepTarget, step: NamespaceStep): Promise<Next> {
  switch (step.kind) {
    case 'register':
      return register(deps, target, step.owner, step.retentionDays)
    case 'update-retention':
      return updateOnCell(deps, target, {
        step: step.kind,
        change: { retentionDays: step.retentionDays },
        seen: { retentionDays: step.retentionDays },
      })
    case 'drop-aliases': {
      const aliases = Object.fromEntries(step.columns.map((column) => [column, '']))
      return updateOnCell(deps, target, { step: step.kind, change: { aliases }, seen: { aliases: step.left } })
    }
    case 'set-aliases': {
      const { aliases } = step
      return updateOnCell(deps, target, { step: step.kind, change: { aliases }, seen: { aliases: step.all } })
    }
    case 'wait-cell-cache':
      await note(deps, target, { waitingFor: 'the change reaches every host of the cell', restMs: step.ms })
      return again(step.ms)
    case 'ask-limits':
      return askLimits(deps, target, step.limits)
    case 'await-limits':
      return awaitLimits(deps, target, step.limits)
    case 'serve-at-edge':
      return serveAtEdge(deps, target, step.generation)
    case 'remove-from-edge':
      return removeFromEdge(deps, target)
    case 'publish-name':
      return publishName(deps, target, step.target)
    case 'withdraw-name':
      return withdrawName(deps, target)
    case 'delete-from-cell':
      return deleteFromCell(deps, target, step.owner)
    case 'confirm-deleted':
      return confirmDeleted(deps, target)
    case 'fail':
    case 'done':
      return settled
    default:
      return assertNever(step)
  }
}

/** In a namespace's data on the cell: whose it is. */
export const ownerKey = 'aqueduct.owner'
const generationKey = 'aqueduct.generation'

async function register(deps: StepDeps, target: StepTarget, owner: string, retentionDays: number): Promise<Next> {
  const { row } = target
  const client = await deps.cellClient(target.cell.id)
  await noteCell(deps, target, { kind: 'unknown' })
  try {
    await deps.outward('register', () =>
      client.registerNamespace({
        name: row.id,
        retentionDays,
        description: '',
        data: { [ownerKey]: owner, [generationKey]: String(target.fence.generation) },
      }),
    )
    await noteCell(deps, target, { kind: 'present', owner, retentionDays })
  } catch (thrown) {
    if (!(thrown instanceof CellError) || thrown.kind !== 'exists') throw thrown
    // An earlier pass registered it and did not live to say so; nor would it have said whether it updated it just now.
    const seen = await describe(deps, target)
    await noteCell(deps, target, { ...seen, updatedAt: deps.clock.now().toISOString() })
  }
  return settled
}

async function describe(deps: StepDeps, target: StepTarget): Promise<Extract<CellRecord, { kind: 'present' }>> {
  const client = await deps.cellClient(target.cell.id)
  const seen = await deps.outward('describe', () => client.describeNamespace(target.row.id))
  const { retentionDays, aliases } = seen
  return { kind: 'present', owner: seen.data[ownerKey] ?? '', retentionDays, aliases }
}

interface CellUpdate {
  readonly step: 'update-retention' | 'drop-aliases' | 'set-aliases'
  readonly change: CellNamespaceChange
  /** What is different there afterwards. */
  readonly seen: Partial<Extract<CellRecord, { kind: 'present' }>>
}

async function updateOnCell(deps: StepDeps, target: StepTarget, { step, change, seen }: CellUpdate): Promise<Next> {
  const client = await deps.cellClient(target.cell.id)
  const { row } = target
  const before = row.cell_observed as CellRecord | null
  if (before?.kind !== 'present') throw new Error(`${row.id} was not seen on its cell before ${step}`)
  await noteCell(deps, target, { kind: 'unknown' })
  try {
    await deps.outward(step, () =>
      client.updateNamespace(row.id, { ...change, data: { [generationKey]: String(target.fence.generation) } }),
    )
  } catch (thrown) {
    await noteUpdate(deps, target, { kind: 'unknown' })
    throw thrown
  }
  await noteUpdate(deps, target, { ...before, ...seen, updatedAt: deps.clock.now().toISOString() })
  return settled
}

/** The cell knows no generations: an update that comes too late is not refused there, so it must not stay unnoticed. */
async function noteUpdate(deps: StepDeps, target: StepTarget, seen: CellRecord): Promise<void> {
  try {
    await noteCell(deps, target, seen)
  } catch (thrown) {
    if (thrown instanceof StaleWriterError) await doubtNamespace(deps.database.all, target.proof)
    throw thrown
  }
}

async function serveAtEdge(deps: StepDeps, target: StepTarget, generation: number): Promise<Next> {
  const { row, cell } = target
  await deps.edge.ensureCertificate(row)
  // The edge is told by the commit of this record.
  await note(deps, target, {
    served: true,
    edgeObserved: { kind: 'unknown' },
    waitingFor: 'the edge takes the new configuration',
  })
  const answer = await deps.outward('serve-at-edge', () => deps.edge.awaitServing(cell.id, row.id, generation))
  if (answer.kind === 'not_yet') {
    await note(deps, target, { waitingFor: `the edge does not serve it yet: ${answer.detail}` })
    return again(edgeLagsMs)
  }
  await note(deps, target, { edgeObserved: { kind: 'serving', generation: answer.generation } })
  return settled
}

async function removeFromEdge(deps: StepDeps, target: StepTarget): Promise<Next> {
  const { row, cell } = target
  await note(deps, target, { served: false, edgeObserved: { kind: 'unknown' }, waitingFor: 'the edge lets go of it' })
  const answer = await deps.outward('remove-from-edge', () => deps.edge.awaitAbsence(cell.id, row.id))
  if (answer.kind === 'not_yet') {
    await note(deps, target, { waitingFor: `the edge still has it: ${answer.detail}` })
    return again(edgeLagsMs)
  }
  await note(deps, target, { edgeObserved: null })
  return settled
}

async function publishName(deps: StepDeps, target: StepTarget, to: string): Promise<Next> {
  const { row, cell } = target
  const { values, reason = '' } = (cell.name_observed ?? {}) as { values?: readonly string[]; reason?: string }
  if (values === undefined) {
    await note(deps, target, { waitingFor: `the name of its cell is not published yet${reason && `: ${reason}`}` })
    return again(nameLagsMs)
  }
  await note(deps, target, { nameObserved: { kind: 'unknown' }, waitingFor: 'its name is published' })
  await deps.outward('publish-name', () => deps.names.publish(cell.region, row.id, to))
  await note(deps, target, { nameObserved: { kind: 'present', target: to } })
  return settled
}

async function withdrawName(deps: StepDeps, target: StepTarget): Promise<Next> {
  await note(deps, target, { nameObserved: { kind: 'unknown' }, waitingFor: 'its name is withdrawn' })
  await deps.outward('withdraw-name', () => deps.names.withdraw(target.cell.region, target.row.id))
  await note(deps, target, { nameObserved: null })
  return settled
}

async function deleteFromCell(deps: StepDeps, target: StepTarget, owner: string): Promise<Next> {
  // A cell deletes its own copy and tells nobody. The other one would never hear that it has no part in it any more, and stay.
  if (await isMoving(deps.database.all, target.proof)) {
    await note(deps, target, { waitingFor: 'its move between two cells comes to its end' })
    return again(moveEndsMs)
  }
  const client = await deps.cellClient(target.cell.id)
  try {
    const seen = await describe(deps, target)
    if (seen.owner !== owner) {
      await noteCell(deps, target, seen)
      return settled
    }
    await noteCell(deps, target, { kind: 'unknown' })
    await deps.outward('delete-from-cell', () => client.deleteNamespace(target.row.id))
  } catch (thrown) {
    if (!(thrown instanceof CellError) || thrown.kind !== 'not_found') throw thrown
  }
  await noteCell(deps, target, { kind: 'deleting' })
  return settled
}

async function confirmDeleted(deps: StepDeps, target: StepTarget): Promise<Next> {
  try {
    await describe(deps, target)
    await note(deps, target, { waitingFor: 'the cell deletes it' })
    return again(cellDeletesMs)
  } catch (thrown) {
    if (!(thrown instanceof CellError) || thrown.kind !== 'not_found') throw thrown
    await noteCell(deps, target, null)
    return settled
  }
}

async function noteCell(deps: StepDeps, target: StepTarget, seen: CellRecord | null): Promise<void> {
  await note(deps, target, { cellObserved: seen })
}

async function note(deps: StepDeps, target: StepTarget, record: Parameters<typeof recordNamespace>[3]): Promise<void> {
  await recordNamespace(deps.database.all, target.proof, target.fence, record)
}
