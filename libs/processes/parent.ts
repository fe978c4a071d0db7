/** What a process of the product says to the launcher that started it. */
export interface ReadyMessage {
  readonly type: 'ready'
}

/** Tells the launcher that this process serves now. Nothing happens when nobody listens, as under systemd. */
export function announceReady(): void {
  const message: ReadyMessage = { type: 'ready' }
  process.send?.(message)
}

/** Calls `stop` when the launcher is gone, however it ended: its process must not run on by itself. */
export function whenOrphaned(stop: () => void): void {
  if (process.send === undefined) return
  if (!process.connected) stop()
  else process.once('disconnect', stop)
}
