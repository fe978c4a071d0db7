import { expect, it } from 'vitest'
import { customActionsOn, policy } from '#libs/authz'
import { actionMatches, customResourceTypes } from '#libs/domain/custom-roles'
import { customActionGiving, customActions } from './custom-actions.ts'

const rows = Object.entries(policy).flatMap(([resource, actions]) =>
  Object.keys(actions).map((action) => ({ resource, action, permission: `${resource}.${action}` })),
)

it('names rows of the policy, each once', () => {
  const given = Object.values(customActions).map(({ gives }) => gives)
  const known: readonly string[] = rows.map(({ permission }) => permission)
  expect(given.filter((permission) => !known.includes(permission))).toEqual([])
  expect(new Set(given).size).toBe(given.length)
})

it('gives nothing that makes an owner, a credential or an account for machines, nor anything of the fleet', () => {
  const given: readonly string[] = Object.values(customActions).map(({ gives }) => gives)
  const never = [
    /^account\.(grant_owner|create_service_account|provision_identities)$/,
    /create_api_key$/,
    /^(api_key|service_account|identity|waitlist_entry|invitation|tenant|certificate|cell|node|operator|rollout|move|orphan|cost|fleet_audit_log)\./,
    /^namespace\.(create_service_account|grant_service_account_access|host_nexus_endpoint)$/,
  ]
  expect(given.filter((permission) => never.some((pattern) => pattern.test(permission)))).toEqual([])
  expect(customActionGiving('account', 'grant_owner')).toBeUndefined()
})

it('has an action for each type of resource, all of them under cloud.', () => {
  for (const type of customResourceTypes) expect(customActionsOn(type).length, type).toBeGreaterThan(0)
  expect(Object.keys(customActions).filter((name) => !actionMatches('cloud.*', name))).toEqual([])
})
