import { dryRunHeader } from '../transport/call-context.ts'

const rateHeaders = {
  'RateLimit-Policy': {
    description: 'The limits that count this call: of each its name, its quota `q` and its window `w` in seconds.',
    schema: { type: 'string', examples: ['"user";q=40;w=1, "account";q=160;w=1'] },
  },
  RateLimit: {
    description: 'Of each limit what is left of it, `r`, and for how many seconds that holds, `t`.',
    schema: { type: 'string', examples: ['"user";r=39;t=1, "account";r=152;t=1'] },
  },
} as const

/** `components.headers` of a document. */
export const headerComponents = {
  ...rateHeaders,
  'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 1 } },
} as const

/** What an answer to somebody who is known carries. */
export const answerHeaders = Object.fromEntries(
  Object.keys(rateHeaders).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
)

/** The header that makes a mutation a dry run, as a parameter. */
export const dryRunParameter = {
  name: dryRunHeader,
  in: 'header',
  required: false,
  description:
    'With `true`, everything is checked and nothing is done: the answer, or the error, is the one that the call would get.',
  schema: { type: 'string', enum: ['true', 'false'] },
} as const
