import type { Problem } from '#libs/base'

const tag = /^[a-z0-9._@-]{1,63}$/
const maxTags = 10

/** Tags of a namespace, at most 10 pairs: the field is `tags` on the wire. */
export function validateTags(tags: Readonly<Record<string, string>>): Problem[] {
  const pairs = Object.entries(tags)
  const rule = 'must have 1 to 63 characters of a-z, 0-9 and . _ @ -'
  const problems = pairs.flatMap(([key, value]) => {
    if (!tag.test(key)) return [{ field: 'tags', message: `the key ${JSON.stringify(key)} ${rule}` }]
    return tag.test(value) ? [] : [{ field: 'tags', message: `the value of ${JSON.stringify(key)} ${rule}` }]
  })
  if (pairs.length > maxTags) problems.push({ field: 'tags', message: `at most ${maxTags} tags, not ${pairs.length}` })
  return problems
}
