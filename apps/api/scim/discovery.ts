import type { FastifyInstance } from 'fastify'
import { listResponse } from './list.ts'
import { groupSchema, userSchema } from './resources.ts'

const configuration = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: { supported: true },
  bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: 200 },
  changePassword: { supported: false },
  sort: { supported: false },
  etag: { supported: false },
  authenticationSchemes: [
    {
      type: 'oauthbearertoken',
      name: 'API key',
      description: 'An API key of a user or a service account that is an owner or an admin of the account.',
      primary: true,
    },
  ],
}

const resourceTypes = [
  { id: 'User', name: 'User', endpoint: '/Users', schema: userSchema },
  { id: 'Group', name: 'Group', endpoint: '/Groups', schema: groupSchema },
].map((type) => ({ schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'], ...type }))

const attribute = (name: string, type: string, more: object = {}) => ({
  name,
  type,
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
  ...more,
})

const schemas = [
  {
    id: userSchema,
    name: 'User',
    attributes: [
      attribute('userName', 'string', { required: true, mutability: 'immutable', uniqueness: 'server' }),
      attribute('externalId', 'string', { caseExact: true }),
      attribute('active', 'boolean'),
      attribute('emails', 'complex', { multiValued: true, mutability: 'readOnly' }),
    ],
  },
  {
    id: groupSchema,
    name: 'Group',
    attributes: [
      attribute('displayName', 'string', { required: true, caseExact: true, uniqueness: 'server' }),
      attribute('externalId', 'string', { caseExact: true }),
      attribute('members', 'complex', { multiValued: true }),
    ],
  },
]

const whole = { startIndex: 1, count: 200, filter: '' }

/** What this server can do, for identity providers that ask (RFC 7644, 4). */
export function scimDiscovery(app: FastifyInstance): void {
  app.get('/ServiceProviderConfig', async () => configuration)
  app.get('/ResourceTypes', async () => listResponse(resourceTypes.length, whole, resourceTypes))
  app.get('/Schemas', async () => listResponse(schemas.length, whole, schemas))
}
