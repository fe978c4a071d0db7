import type { Problem } from '#libs/base'

const tag = /^[a-z0-9._@-]{1,63}$/
const maxTags = 10

export type Tags = Readonly<Record<string, string>>

/** Tags of a namespace, at most 10 pairs: the field is `tags` on the wire. */
export function validateTags(tags: Tags, field = 'tags'): Problem[] {
  const pairs = Object.entries(tags)
  const rule = 'must have 1 to 63 characters of a-z, 0-9 and . _ @ -'
  const problems = pairs.flatMap(([key, value]) => {
    if (!tag.test(key)) return [{ field, message: `the key ${JSON.stringify(key)} ${rule}` }]
    return tag.test(value) ? [] : [{ field, message: `the value of ${JSON.stringify(key)} ${rule}` }]
  })
  if (pairs.length > maxTags) problems.push({ field, message: `at most ${maxTags} tags, not ${pairs.length}` })
  return problems
}

/**
 * The tags after UpdateNamespaceTags, with what is wrong about the change. To remove one that is absent is no mistake,
 * by itself neither; to set what is set already has nothing to change.
 */
export function changedTags(
  present: Tags,
  change: { readonly upsert: Tags; readonly remove: readonly string[] },
): { readonly tags: Tags; readonly problems: readonly Problem[] } {
  const { upsert, remove } = change
  const field = 'tags_to_upsert'
  const kept = Object.entries(present).filter(([key]) => !remove.includes(key))
  const tags = Object.fromEntries([...kept, ...Object.entries(upsert)])
  if (Object.keys(upsert).length === 0 && remove.length === 0) {
    return { tags, problems: [{ field, message: 'must be given, or tags_to_remove' }] }
  }
  const both = remove.filter((key) => Object.hasOwn(upsert, key))
  const problems = [
    ...validateTags(upsert, field),
    ...both.map((key) => ({ field: 'tags_to_remove', message: `${JSON.stringify(key)} is in tags_to_upsert too` })),
  ]
  if (problems.length > 0) return { tags, problems }
  if (remove.length === 0 && canonical(tags) === canonical(present)) {
    return { tags, problems: [{ field, message: 'nothing to change' }] }
  }
  // Of all that there would be: of those that are given, it was said above.
  return { tags, problems: validateTags(tags, field) }
}

function canonical(tags: Tags): string {
  return JSON.stringify(Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
