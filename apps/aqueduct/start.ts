import { Launch, type LaunchOptions, type Running } from './launch.ts'

export interface StartOptions extends Omit<LaunchOptions, 'signal'> {
  /**
   * What to do once everything is ready; the product stops when it returns. `npm start` waits for `signal`, which
   * aborts when somebody asks the product to stop.
   * @returns the exit code.
   */
  readonly whenReady: (running: Running, signal: AbortSignal) => Promise<number>
}

/**
 * One Ctrl-C below npm arrives twice: from the terminal, and passed on by npm. The second within this time is the same.
 */
const sameSignalMs = 250

/**
 * Runs the product until it is told to stop: SIGINT, SIGTERM and SIGHUP end every process in order; a second signal
 * ends them at once.
 * @returns the exit code of this process.
 */
export async function start(options: StartOptions): Promise<number> {
  const stopping = new AbortController()
  const launch = new Launch({ ...options, signal: stopping.signal })
  let firstAt: number | undefined
  let killed: Promise<void> | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    if (firstAt === undefined) {
      firstAt = performance.now()
      options.screen.line(`\n${signal}: stopping everything in order. Once more stops it at once.`)
      stopping.abort()
      return
    }
    if (killed !== undefined || performance.now() - firstAt < sameSignalMs) return
    options.screen.line('Stopping everything at once.')
    killed = launch.kill()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  let code = 0
  try {
    const running = await launch.start()
    code = await options.whenReady(running, stopping.signal)
  } catch (thrown) {
    if (!stopping.signal.aborted) throw thrown
  } finally {
    await launch.stop()
  }
  if (killed === undefined) return code
  await killed
  return 1
}
