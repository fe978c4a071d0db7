import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type ServiceError, status } from '@grpc/grpc-js'
import proto from '@temporalio/proto'
import type { CellConnection } from './cell-connection.ts'

const { CommandType, HistoryEventFilterType, EventType } = proto.temporal.api.enums.v1
/** Both sides look again after so many milliseconds. */
export const lookAgainMs = 20

/**
 * Starts a workflow, completes it as its worker, and waits for its result as its client: every call that an SDK makes
 * for that, without the start-up of an SDK.
 * @returns how often a call had to be repeated, because the cell did not know the namespace everywhere yet.
 */
export async function runWorkflow({ service }: CellConnection, namespace: string): Promise<number> {
  let repeats = 0
  const persist = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      try {
        return await call()
      } catch (thrown) {
        if ((thrown as Partial<ServiceError>).code !== status.NOT_FOUND) throw thrown
        repeats += 1
        await delay(lookAgainMs)
      }
    }
  }
  const execution = { workflowId: randomUUID() }
  const taskQueue = { name: 'bench' }
  const payload = { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"done"') }] }
  const requestId = randomUUID()
  await persist(() =>
    service.startWorkflowExecution({
      namespace,
      ...execution,
      workflowType: { name: 'bench' },
      taskQueue,
      requestId,
      identity: 'bench-client',
    }),
  )
  const work = async (): Promise<void> => {
    const { taskToken } = await persist(() =>
      service.pollWorkflowTaskQueue({ namespace, taskQueue, identity: 'bench-worker' }),
    )
    await service.respondWorkflowTaskCompleted({
      namespace,
      taskToken,
      identity: 'bench-worker',
      commands: [
        {
          commandType: CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
          completeWorkflowExecutionCommandAttributes: { result: payload },
        },
      ],
    })
  }
  const result = async (): Promise<void> => {
    const { history } = await persist(() =>
      service.getWorkflowExecutionHistory({
        namespace,
        execution,
        waitNewEvent: true,
        historyEventFilterType: HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
      }),
    )
    const last = history?.events?.at(-1)?.eventType
    if (last !== EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED) throw new Error(`the workflow ended with ${last}`)
  }
  await Promise.all([work(), result()])
  return repeats
}
