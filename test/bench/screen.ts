/** Where progress goes: not where the table goes, so that either can be kept alone. */
export interface Screen {
  line(text: string): void
  /** Replaced by the next one; left out where it would fill a log. */
  progress(text: string): void
}

export function terminalScreen(stream: NodeJS.WriteStream): Screen {
  let shown = false
  const clear = (): void => {
    if (shown) stream.write('\r\x1b[2K')
    shown = false
  }
  return {
    line: (text) => {
      clear()
      stream.write(`${text}\n`)
    },
    progress: (text) => {
      if (!stream.isTTY) return
      clear()
      stream.write(`  ${text}`.slice(0, Math.max(20, stream.columns - 1)))
      shown = true
    },
  }
}
