/**
 * Asks once and keeps the answer. A failure is not kept: whoever comes next asks again, or a moment without a database
 * would last as long as the process.
 */
export function remembered<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let kept: Promise<Answer> | undefined
  return () => {
    if (kept !== undefined) return kept
    const asked = ask()
    kept = asked
    // Nobody may be waiting for it any more when it fails.
    asked.catch(() => {
      kept = undefined
    })
    return asked
  }
}
