import { expect, it } from 'vitest'
import { readInstanceAction, readScheduledEvents } from './notices.ts'

it('reads an interruption', () => {
  const text = '{"action": "terminate", "time": "2026-01-02T03:04:05Z"}'
  expect(readInstanceAction(text)).toEqual({
    kind: 'interruption',
    at: '2026-01-02T03:04:05.000Z',
    detail: 'spot-terminate',
  })
})

it('takes the first maintenance that is still to come', () => {
  const event = (code: string, notBefore: string, state: string) => ({ Code: code, NotBefore: notBefore, State: state })
  const text = JSON.stringify([
    event('system-reboot', '21 Feb 2026 09:00:43 GMT', 'active'),
    event('instance-retirement', '21 Jan 2026 09:00:43 GMT', 'active'),
    event('system-maintenance', '20 Jan 2026 09:00:43 GMT', 'completed'),
  ])
  expect(readScheduledEvents(text)).toEqual({
    kind: 'maintenance',
    at: '2026-01-21T09:00:43.000Z',
    detail: 'instance-retirement',
  })
})

it.each([undefined, '', '[]', '{}', 'null', '[null]', '<html>', '{"action": 1, "time": "x"}', '[{"State": "active"}]'])(
  'takes %j for no notice',
  (text) => {
    expect(readInstanceAction(text)).toBeUndefined()
    expect(readScheduledEvents(text)).toBeUndefined()
  },
)
