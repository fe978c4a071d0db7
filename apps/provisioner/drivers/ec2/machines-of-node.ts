import type { Machine } from './ec2-calls.ts'
import type { JournalEntry } from './launch-journal.ts'

export interface MachinesOfNode {
  /** The node's one machine, in whatever state; absent when EC2 shows none. */
  readonly machine?: Machine
  /** Those that must go: a node has one machine. */
  readonly twins: readonly Machine[]
}

/**
 * Which of the machines with a node's tag is the node: the one in the journal, and before that is written, the one that is
 * alive and oldest. The order is the same for whoever looks.
 */
export function machinesOfNode(
  machines: readonly Machine[],
  entry: Pick<JournalEntry, 'machineId'> | undefined,
): MachinesOfNode {
  const inOrder = machines.toSorted(
    (a, b) =>
      Number(isOver(a)) - Number(isOver(b)) ||
      a.launchedAt.getTime() - b.launchedAt.getTime() ||
      (a.id < b.id ? -1 : 1),
  )
  const machine = entry?.machineId === undefined ? inOrder[0] : inOrder.find(({ id }) => id === entry.machineId)
  const twins = inOrder.filter((other) => other !== machine && !isOver(other))
  return { twins, ...(machine === undefined ? {} : { machine }) }
}

/** Ending, or ended. */
export function isOver({ state }: Machine): boolean {
  return state === 'shutting-down' || state === 'terminated'
}
