export type Conditions = Readonly<Record<string, unknown>>

/**
 * The one condition of cells and nodes: whether it is ready, and if not, what it waits for.
 * @param before the row's conditions: `since` says when the answer last became another one, not when it was last written.
 */
export function readyCondition(before: Conditions, ready: boolean, detail: string): Conditions {
  const present = before.ready as { readonly status?: unknown; readonly since?: unknown } | undefined
  const since =
    present?.status === ready && typeof present.since === 'string' ? present.since : new Date().toISOString()
  return { ready: { status: ready, detail, since } }
}
