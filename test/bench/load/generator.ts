/** The load generator's process: it takes one job after the other from its parent, and ends with it. */
import { coerceError } from '#libs/base'
import { runGrpcLoad } from './grpc-load.ts'
import type { LoadJob, LoadResult, TurnsResult } from './job.ts'
import { runPacedLoad } from './paced-load.ts'
import { runRestLoad } from './rest-load.ts'
import { runTurns } from './turns-load.ts'

export type GeneratorAnswer = { readonly result: LoadResult | TurnsResult } | { readonly error: string }

process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => answer({ result }),
    (thrown: unknown) => answer({ error: coerceError(thrown).message }),
  )
})
process.on('disconnect', () => process.exit(0))

async function run(job: LoadJob): Promise<LoadResult | TurnsResult> {
  if (job.kind === 'turns') return await runTurns(job)
  if (job.kind === 'paced') return await runPacedLoad(job)
  return job.kind === 'grpc' ? await runGrpcLoad(job) : await runRestLoad(job)
}

function answer(message: GeneratorAnswer): void {
  process.send?.(message)
}
