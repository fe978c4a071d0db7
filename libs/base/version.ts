/**
 * Orders versions as `1.32.2` by their numbers. What comes after a `+` names a build and does not count.
 * @returns below 0 when `one` is older, above 0 when it is newer, 0 when they are the same.
 */
export function compareVersions(one: string, other: string): number {
  const others = numbersOf(other)
  for (const [index, number] of numbersOf(one).entries()) {
    const difference = number - (others[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Without what names a build: `1.32.2` of `1.32.2+ours`. */
export function coreVersion(version: string): string {
  return version.split('+', 1)[0] ?? version
}

function numbersOf(version: string): readonly number[] {
  return coreVersion(version).split('.').map(Number)
}
