import { once } from 'node:events'
import { join } from 'node:path'
import { coerceError } from '#libs/base'
import type { Environment } from '#libs/config'
import type { Running } from '../launch.ts'
import { projectDirectory } from '../settings.ts'
import { summary } from '../summary.ts'
import type { Progress } from '../toolchain/progress.ts'
import { resolveTemporalCli } from '../toolchain/toolchain.ts'
import { pathsIn } from './command-text.ts'
import type { LiveScreen } from './live-screen.ts'
import { Narrator, StepFailed } from './narrator.ts'
import { nextThings } from './next-things.ts'
import { PublicApi } from './public-api.ts'
import { storySteps, tellStory } from './story.ts'
import type { World } from './world.ts'

export interface QuickstartOptions {
  readonly screen: LiveScreen
  readonly progress: Progress
  readonly environment: Environment
  readonly cacheDirectory: string
  /** Whether to stop everything after the story. */
  readonly exit: boolean
}

/**
 * Walks the story on the running product, says what to do next, and waits until it is told to stop.
 * @returns 0 exactly when every step worked.
 */
export async function quickstart(options: QuickstartOptions, running: Running, signal: AbortSignal): Promise<number> {
  const { screen, environment, cacheDirectory, progress, exit } = options
  if (running.operatorProblem !== undefined) throw new Error(running.operatorProblem)
  const shown = pathsIn(projectDirectory)
  const world: World = {
    running,
    api: new PublicApi({ caFile: running.credentials.caFile, shown, signal }),
    outboxDirectory: environment.AQUEDUCT_OUTBOX_DIR || join(running.dataDirectory, 'outbox'),
    directory: join(running.dataDirectory, 'quickstart'),
    shown,
    signal,
  }
  const began = performance.now()
  screen.line(`\nThe story, through public interfaces alone. The commands can be typed in ${projectDirectory}.`)
  try {
    const ending = await tellStory(world, new Narrator(screen, storySteps, signal))
    screen.line(`\nAll ${storySteps} steps worked, in ${((performance.now() - began) / 1000).toFixed(1)} s.`)
    const temporal = await resolveTemporalCli({ cacheDirectory, environment, progress, signal }).then(
      shown,
      (thrown) => {
        screen.line(`  ! the \`temporal\` command: ${coerceError(thrown).message.split('\n')[0]}`)
        return 'temporal'
      },
    )
    screen.line(summary(running))
    screen.line(nextThings(world, ending, temporal))
    screen.line(exit ? '\nStopping everything, as --exit asks.' : '\nCtrl-C stops everything.')
  } catch (thrown) {
    // The narrator has told it.
    if (!(thrown instanceof StepFailed)) throw thrown
    if (!signal.aborted) screen.line('\nStopping everything.')
    return 1
  }
  if (!exit && !signal.aborted) await once(signal, 'abort')
  return 0
}
