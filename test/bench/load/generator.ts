/** The load generator's process: it takes one job after the other from its parent, and ends with it. */
import { coerceError } from '#libs/base'
import { runGrpcLoad } from './grpc-load.ts'
import type { LoadJob, LoadResult } from './job.ts'
import { runRestLoad } from './rest-load.ts'

export type GeneratorAnswer = { readonly result: LoadResult } | { readonly error: string }

process.on('message', (job: LoadJob) => {
  const running = job.kind === 'grpc' ? runGrpcLoad(job) : runRestLoad(job)
  running.then(
    (result) => answer({ result }),
    (thrown: unknown) => answer({ error: coerceError(thrown).message }),
  )
})
process.on('disconnect', () => process.exit(0))

function answer(message: GeneratorAnswer): void {
  process.send?.(message)
}
