import type { NodeTemplate } from '#libs/domain/nodes'
import { answer, request, string } from './schemas.ts'

const roles = ['default', 'all', 'edge', 'frontend', 'history', 'matching', 'worker'] as const
const types = { type: 'array', minItems: 1, maxItems: 50, items: { ...string, minLength: 1, maxLength: 64 } } as const
const instanceTypes = {
  ...request(Object.fromEntries(roles.map((role) => [role, types]))),
  description: 'In order of preference, by role of the node; `default` is for roles that are not named.',
} as const

/** What nodes are made from, as the API shows it. */
export const templateSchema = answer({ serverVersion: string, image: string, instanceTypes }, [
  'image',
  'instanceTypes',
])

/** The same as somebody may ask for it: each part may be missing. */
export const templateParts = {
  serverVersion: { ...string, minLength: 1, maxLength: 64, description: 'Of Temporal: `1.33.0`.' },
  image: { ...string, minLength: 1, maxLength: 256, description: 'In the driver’s own words: `ami-…`, `ssm:/…`.' },
  instanceTypes,
} as const

/** As `templateSchema` says. */
export function shownTemplate({ serverVersion, image, instanceTypes: byRole }: NodeTemplate) {
  return {
    serverVersion,
    ...(image === undefined ? {} : { image }),
    ...(byRole === undefined ? {} : { instanceTypes: byRole }),
  }
}
