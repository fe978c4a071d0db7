import type { Screen } from './screen.ts'

/**
 * Measures several sides in turn, round after round, each round beginning with another one: whatever disturbs the
 * machine for a while disturbs all of them.
 * @returns each side's results in the order of the rounds.
 */
export async function alternate<Side extends string, Result>(
  screen: Screen,
  count: number,
  sides: Readonly<Record<Side, (round: number) => Promise<Result>>>,
): Promise<Readonly<Record<Side, readonly Result[]>>> {
  const names = Object.keys(sides) as Side[]
  const results = Object.fromEntries(names.map((name): [string, Result[]] => [name, []])) as Record<Side, Result[]>
  for (let round = 0; round < count; round += 1) {
    const from = round % names.length
    for (const name of [...names.slice(from), ...names.slice(0, from)]) {
      screen.progress(`round ${round + 1} of ${count}: ${name}`)
      results[name].push(await sides[name](round))
    }
  }
  return results
}
