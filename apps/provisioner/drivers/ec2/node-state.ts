import type { NodeInstance } from '../contract.ts'
import type { Machine } from './ec2-calls.ts'
import type { Health } from './machine-health.ts'
import type { NodeReport } from './mailbox.ts'

/** Milliseconds after which a machine that has not said a word is not going to. */
export const bootMs = 10 * 60_000
/** Milliseconds of silence after which a node is not ready any more: a few reports are missing. */
export const silentMs = 45_000
/** Milliseconds of silence after which a node has failed, while others speak. */
export const deadMs = 5 * 60_000

export interface NodeEvidence {
  readonly machine: Machine
  readonly report: NodeReport | undefined
  readonly health: Health | undefined
  /**
   * When any node was heard last. While nobody hears any, silence says more about who listens than about nodes: then
   * nodes are not ready, and none is given up for that.
   */
  readonly lastHeard: Date | undefined
  readonly now: Date
}

type Verdict = Pick<NodeInstance, 'state' | 'detail' | 'generation'>

/** What a node is, by what EC2 says of its machine and what the machine says of itself. */
export function verdictOf({ machine, report, health, lastHeard, now }: NodeEvidence): Verdict {
  const generation = report?.generation ?? -1
  const ago = (since: Date) => now.getTime() - since.getTime()
  const failed = (detail: string): Verdict => ({ state: 'failed', generation, detail })
  const starting = (detail: string): Verdict => ({ state: 'starting', generation, detail })
  const because = machine.reason === '' ? '' : `: ${machine.reason}`
  switch (machine.state) {
    case 'shutting-down':
    case 'terminated':
    case 'stopping':
    case 'stopped':
      return failed(`EC2 says that ${machine.id} is ${machine.state}${because}`)
    case 'pending':
      return starting(`EC2 starts ${machine.id}`)
    case 'running':
      break
  }
  if (report === undefined) {
    const waited = `${machine.id} has not joined after ${seconds(ago(machine.launchedAt))} s`
    if (ago(machine.launchedAt) >= bootMs) return failed(waited)
    return health?.impaired === true ? failed(`${waited}, and EC2 finds it impaired`) : starting(waited)
  }
  const silence = ago(report.at)
  if (silence >= silentMs) {
    const said = `${machine.id} has said nothing for ${seconds(silence)} s`
    if (health?.impaired === true) return failed(`${said}, and EC2 finds it impaired`)
    const isListenedTo = lastHeard !== undefined && ago(lastHeard) < silentMs
    return silence >= deadMs && isListenedTo ? failed(said) : starting(said)
  }
  // Its agent stops when it is started anew, too: systemd brings it back.
  const state = report.state === 'stopped' ? 'starting' : report.state
  return { state, generation, detail: report.detail }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000)
}
