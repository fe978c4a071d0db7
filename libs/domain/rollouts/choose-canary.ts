export interface CanaryCandidate {
  readonly id: string
  readonly ready: boolean
  readonly namespaces: number
}

/** The least full one that works: fewest see it if the change is bad. Of two that are equally full, the first by id. */
export function chooseCanary(cells: readonly CanaryCandidate[]): string | undefined {
  return cells
    .filter((cell) => cell.ready)
    .toSorted((a, b) => a.namespaces - b.namespaces || (a.id < b.id ? -1 : 1))
    .at(0)?.id
}
