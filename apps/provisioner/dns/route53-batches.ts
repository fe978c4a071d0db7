import type { RecordChange } from './route53-api.ts'

/**
 * Limits of one ChangeResourceRecordSets: 1,000 values, and 32,000 characters in them all
 * (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html). UPSERT would count twice; we send none.
 */
const maxValues = 1_000
const maxCharacters = 32_000

/** How many of the groups, from the first on, fit into one call: one at least. A group's changes are never parted. */
export function fitting(groups: readonly (readonly RecordChange[])[]): number {
  let values = 0
  let characters = 0
  for (const [index, group] of groups.entries()) {
    for (const { set } of group) {
      values += set.values.length
      characters += set.values.reduce((sum, value) => sum + value.length, 0)
    }
    if (index > 0 && (values > maxValues || characters > maxCharacters)) return index
  }
  return groups.length
}
