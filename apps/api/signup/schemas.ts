const text = (maxLength: number, description: string) => ({ type: 'string', maxLength, description })
const tags = ['Sign-up']

/** The schemas bound sizes; what a good address or name is, `libs/domain/waitlist` says. */
export const applicationSchema = {
  tags,
  summary: 'Join the waitlist',
  description:
    'Anybody may. The answer is the same whether the address is new or known: nobody learns who is on the list. Applying again keeps the first entry.',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['email', 'company', 'useCase'],
    properties: {
      email: text(254, 'Where the invitation goes.'),
      company: text(128, 'The name of the account.'),
      useCase: text(2000, 'What you would run, in a few words.'),
    },
  },
  response: {
    200: {
      type: 'object',
      additionalProperties: false,
      required: ['id', 'position', 'state'],
      properties: {
        id: { type: 'string' },
        position: {
          type: 'integer',
          description: 'At most so many stand in the line, you included. Repeated applications count.',
        },
        state: { type: 'string', enum: ['waiting'] },
      },
    },
  },
}

export const acceptanceSchema = {
  tags,
  summary: 'Accept an invitation',
  description: 'Spends the token of the invitation. The API key is shown in this answer and never again.',
  body: {
    type: 'object',
    additionalProperties: false,
    required: ['token'],
    properties: { token: { type: 'string', minLength: 1, maxLength: 256 } },
  },
  response: {
    200: {
      type: 'object',
      additionalProperties: false,
      required: ['tenant', 'user', 'apiKey'],
      properties: {
        tenant: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'name'],
          properties: { id: { type: 'string' }, name: { type: 'string' } },
        },
        user: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'email'],
          properties: { id: { type: 'string' }, email: { type: 'string' } },
        },
        apiKey: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'token', 'expiresAt'],
          properties: {
            id: { type: 'string' },
            token: { type: 'string' },
            expiresAt: { type: 'string', format: 'date-time' },
          },
        },
      },
    },
  },
}
