import { describe, expect, it } from 'vitest'
import { type ApiKeySpec, apiKeyState, validateApiKeySpec, validateApiKeyUpdate } from '#libs/domain/api-keys'

const now = new Date('2026-02-28T12:00:00Z')
const key: ApiKeySpec = {
  ownerId: 'usr-1',
  ownerType: 'user',
  displayName: 'laptop',
  description: '',
  expiresAt: new Date('2027-01-01T00:00:00Z'),
  disabled: false,
}
const fields = (change: Partial<ApiKeySpec>) => validateApiKeySpec({ ...key, ...change }, now).map(({ field }) => field)
const updates = (change: Partial<ApiKeySpec>) =>
  validateApiKeyUpdate(key, { ...key, ...change }).map(({ field, message }) => `${field}: ${message}`)

describe('API keys', () => {
  it.each<[Partial<ApiKeySpec>, readonly string[]]>([
    [{}, []],
    [{ displayName: '' }, ['spec.display_name']],
    [{ displayName: 'a\nb' }, ['spec.display_name']],
    [{ ownerId: '' }, ['spec.owner_id']],
    [{ expiresAt: now }, ['spec.expiry_time']],
    [{ expiresAt: new Date(Number.NaN) }, ['spec.expiry_time']],
    [{ expiresAt: new Date('2028-02-28T12:00:00Z') }, []],
    [{ expiresAt: new Date('2028-02-28T12:00:01Z') }, ['spec.expiry_time']],
  ])('with %j: %j', (change, expected) => {
    expect(fields(change)).toEqual(expected)
  })

  it('keep owner and expiry, and can be disabled and renamed', () => {
    expect(updates({ ownerId: 'usr-2' })).toEqual(['spec.owner_id: cannot be changed'])
    expect(updates({ expiresAt: new Date('2027-01-02T00:00:00Z') })).toEqual(['spec.expiry_time: cannot be changed'])
    expect(updates({ disabled: true })).toEqual([])
    expect(updates({ expiresAt: new Date('2027-01-01T00:00:00.400Z') })).toEqual(['spec: nothing to change'])
  })

  it('expire by the clock', () => {
    expect(apiKeyState({ deleted: false, expiresAt: key.expiresAt }, now)).toBe('active')
    expect(apiKeyState({ deleted: false, expiresAt: now }, now)).toBe('expired')
    expect(apiKeyState({ deleted: true, expiresAt: key.expiresAt }, now)).toBe('deleted')
  })
})
