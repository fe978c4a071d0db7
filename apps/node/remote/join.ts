import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs, coerceError } from '#libs/base'
import type { Logger } from '#libs/telemetry'
import { askToJoin, type JoinAnswer } from './ask-to-join.ts'
import { certificateRequest, type Identity, writeIdentity } from './identity.ts'
import { type LaunchData, readLaunchData } from './launch-data.ts'
import type { MachineMetadata } from './metadata.ts'

export interface JoinOptions {
  /** The node's folder. */
  readonly dir: string
  readonly metadata: MachineMetadata
  readonly logger: Logger
  readonly signal: AbortSignal
}

interface Machine {
  readonly launch: LaunchData
  readonly machineId: string
  readonly address: string
}

const backoff = { initialMs: 500, maxMs: 5_000 }
const whatToCheck =
  'the control plane refuses this machine, and says why in the log of apps/edge alone. Check that the provisioner launched ' +
  'this very machine for the node and knows its address, that nothing in between changes the address, and that the launch ' +
  'is not longer ago than a quarter of an hour'

/**
 * Turns the machine into the node that it was launched for, however long that takes.
 * @returns undefined when `signal` aborted.
 */
export async function join(options: JoinOptions): Promise<Identity | undefined> {
  const { logger, signal } = options
  let failures = 0
  let said = ''
  // Each thing once until something else happens: a machine that waits for hours fills no disk.
  const say = (level: 'info' | 'warn', fields: object, message: string) => {
    const line = JSON.stringify([fields, message])
    if (line !== said) logger[level](fields, message)
    said = line
  }
  while (!signal.aborted) {
    let waitMs: number
    try {
      const machine = await lookAtMachine(options.metadata)
      const { nodeId, cellId } = machine.launch
      const about = { node: nodeId, cell: cellId, machineId: machine.machineId, address: machine.address }
      const url = machine.launch.joinUrls[failures % machine.launch.joinUrls.length] ?? ''
      const answer = await ask(options, machine, url)
      if (answer.kind === 'joined') {
        const { discoveryUrl, certificateChainPem: chain } = answer
        const identity: Identity = { nodeId, cellId, machineId: machine.machineId, discoveryUrl }
        await writeIdentity(options.dir, identity, { chain, ca: machine.launch.caPem })
        logger.info(about, 'the machine joined as a node')
        return identity
      }
      if (answer.kind === 'wait') {
        say('info', about, 'asked to join: the certificate is being signed')
        failures = 0
        waitMs = answer.seconds * 1000
      } else {
        failures += 1
        waitMs = backoffMs(failures, backoff)
        if (answer.kind === 'refused') say('warn', { ...about, url }, whatToCheck)
        else
          say(
            'warn',
            { ...about, url, status: answer.status },
            'cannot join yet: the control plane wants to be asked later',
          )
      }
    } catch (thrown) {
      if (signal.aborted) break
      failures += 1
      waitMs = backoffMs(failures, backoff)
      say('warn', { reason: coerceError(thrown).message }, 'cannot join yet')
    }
    await delay(waitMs, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

async function lookAtMachine(metadata: MachineMetadata): Promise<Machine> {
  const machineId = await metadata.need('meta-data/instance-id')
  const address = await metadata.need('meta-data/local-ipv4')
  const launch = readLaunchData(await metadata.need('user-data'))
  return { launch, machineId, address }
}

async function ask({ dir, signal }: JoinOptions, machine: Machine, url: string): Promise<JoinAnswer> {
  const { launch, machineId, address } = machine
  const { nodeId, caPem, token } = launch
  const csr = await certificateRequest(dir, nodeId)
  return await askToJoin({ url, nodeId, caPem, token, machineId, address, csr, signal })
}
