import { coerceError } from '#libs/base'
import { whenOrphaned } from './parent.ts'

/**
 * Ends this process in order when somebody asks for it (SIGTERM, SIGINT), or when the launcher is gone: runs `stop`, once,
 * and exits with 0. When `stop` fails, `onFailure` hears of it and the exit code is 1.
 */
export function stopWhenTold(stop: () => Promise<void>, onFailure: (error: Error) => void): void {
  let told = false
  const end = (): void => {
    if (told) return
    told = true
    stop().then(
      () => process.exit(0),
      (thrown: unknown) => {
        onFailure(coerceError(thrown))
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  whenOrphaned(end)
}
