export { enqueue, enqueueAll } from './enqueue.ts'
export type { TaskName, TaskPayloads } from './tasks.ts'
