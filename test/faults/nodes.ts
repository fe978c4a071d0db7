import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeRole } from '#libs/domain/nodes'
import { allGone, findNodeProcesses, signalProcess } from '#libs/processes'
import type { ProductUnderFault } from './product-under-fault.ts'

export interface NodeLine {
  readonly id: string
  readonly cell: string
  readonly state: string
  readonly role: NodeRole
  readonly slot: string
  readonly address: string
  /** Of its template. */
  readonly image: string | null
}

/** Every row of a node that is not a tombstone, in the order in which they were made. */
export async function nodesOf(product: ProductUnderFault): Promise<readonly NodeLine[]> {
  const admin = await product.admin()
  try {
    const { rows } = await admin.query<NodeLine>(
      `select id, cell_id as cell, state, role, slot, coalesce(address, '') as address, template->>'image' as image
       from nodes where state <> 'deleted' order by created_at, id`,
    )
    return rows
  } finally {
    await admin.end()
  }
}

/** As when the machine is gone: every process at once, and then its folder. */
export async function destroyNode(product: ProductUnderFault, nodeId: string): Promise<void> {
  const dir = join(product.data, 'nodes', nodeId)
  const agent = await product.program(nodeId, 'agent')
  if (agent === undefined) throw new Error(`no agent runs ${nodeId}`)
  signalProcess(agent, 'SIGKILL')
  const programs = findNodeProcesses(dir)
  for (const program of programs) signalProcess(program, 'SIGKILL')
  if (!(await allGone([agent, ...programs], 10_000))) throw new Error(`${nodeId} does not end`)
  rmSync(dir, { recursive: true, force: true })
}

/** Counts rows and folders of nodes again and again: how many there were at most. */
export class MostNodes {
  readonly #looking: NodeJS.Timeout
  #busy = false
  most = 0

  constructor(product: ProductUnderFault) {
    this.#looking = setInterval(() => {
      if (this.#busy) return
      this.#busy = true
      nodesOf(product)
        .then((nodes) => {
          this.most = Math.max(this.most, nodes.length)
        })
        .catch(() => undefined)
        .finally(() => {
          this.#busy = false
        })
    }, 100)
  }

  end(): number {
    clearInterval(this.#looking)
    return this.most
  }
}
