import type { NodeLaunch } from '../contract.ts'
import type { TagFilter, Tags } from './ec2-calls.ts'

/** Of everything that the driver makes. The role that it has in AWS may touch nothing without the first one. */
export const tagNames = {
  installation: 'aqueduct:installation',
  cell: 'aqueduct:cell',
  /** Of machines and volumes. */
  node: 'aqueduct:node',
  slot: 'aqueduct:slot',
  role: 'aqueduct:role',
  /** Of addresses, for which EC2 does not say it: when the driver asked for it (ISO 8601). */
  madeAt: 'aqueduct:made-at',
  name: 'Name',
} as const

/** Of an instance and its volumes. */
export function nodeTags(installation: string, launch: NodeLaunch): Tags {
  const { nodeId, cellId, slotId, role } = launch
  return {
    [tagNames.installation]: installation,
    [tagNames.cell]: cellId,
    [tagNames.node]: nodeId,
    [tagNames.slot]: slotId,
    [tagNames.role]: role,
    [tagNames.name]: `aqueduct ${installation} ${cellId} ${slotId}`,
  }
}

export interface SlotAddress {
  readonly cellId: string
  readonly slotId: string
  readonly madeAt: Date
}

/** Of an Elastic IP, which belongs to the slot whatever node fills it. */
export function addressTags(installation: string, { cellId, slotId, madeAt }: SlotAddress): Tags {
  return {
    [tagNames.installation]: installation,
    [tagNames.cell]: cellId,
    [tagNames.slot]: slotId,
    [tagNames.madeAt]: madeAt.toISOString(),
    [tagNames.name]: `aqueduct ${installation} ${cellId} ${slotId}`,
  }
}

/** What is this installation's, and of these cells, nodes or slots if they are named. */
export function oursOnly(
  installation: string,
  also: Readonly<Partial<Record<'cell' | 'node' | 'slot', readonly string[]>>> = {},
): TagFilter {
  const more = Object.entries(also).map(([key, values]) => [tagNames[key as keyof typeof also], values])
  return { tags: { [tagNames.installation]: [installation], ...Object.fromEntries(more) } }
}
