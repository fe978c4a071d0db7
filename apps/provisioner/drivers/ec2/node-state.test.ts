import { expect, test } from 'vitest'
import type { Machine } from './ec2-calls.ts'
import type { NodeReport } from './mailbox.ts'
import { bootMs, deadMs, type NodeEvidence, silentMs, verdictOf } from './node-state.ts'

const now = new Date('2026-01-01T12:00:00Z')
const ago = (ms: number) => new Date(now.getTime() - ms)
const machine = (over: Partial<Machine> = {}): Machine => ({
  id: 'i-1',
  state: 'running',
  reason: '',
  launchedAt: ago(60_000),
  tags: {},
  ...over,
})
const report = (over: Partial<NodeReport> = {}): NodeReport => ({
  state: 'ready',
  generation: 4,
  detail: '',
  at: ago(1_000),
  ...over,
})
const state = (over: Partial<NodeEvidence>) =>
  verdictOf({ machine: machine(), report: report(), health: undefined, lastHeard: now, now, ...over }).state

test('a machine that is not running decides, whatever it said before', () => {
  expect(state({ machine: machine({ state: 'pending' }) })).toBe('starting')
  for (const over of ['shutting-down', 'terminated', 'stopping', 'stopped'] as const) {
    const verdict = verdictOf({
      machine: machine({ state: over, reason: 'Client.InternalError: no key' }),
      report: report(),
      health: undefined,
      lastHeard: now,
      now,
    })
    expect(verdict).toMatchObject({
      state: 'failed',
      detail: `EC2 says that i-1 is ${over}: Client.InternalError: no key`,
    })
  }
})

test('a machine that has not said a word is starting, until it has had its time', () => {
  const silent = (ms: number) => state({ report: undefined, machine: machine({ launchedAt: ago(ms) }) })
  expect(silent(bootMs - 1)).toBe('starting')
  expect(silent(bootMs)).toBe('failed')
  expect(state({ report: undefined, health: { impaired: true } })).toBe('failed')
})

test('what a machine says counts while it is fresh', () => {
  expect(verdictOf({ machine: machine(), report: report(), health: { impaired: true }, lastHeard: now, now })).toEqual({
    state: 'ready',
    generation: 4,
    detail: '',
  })
  expect(state({ report: report({ state: 'failed' }) })).toBe('failed')
  expect(state({ report: report({ state: 'stopped' }) })).toBe('starting')
  expect(state({ report: report({ at: ago(silentMs) }) })).toBe('starting')
  expect(state({ report: report({ at: ago(silentMs) }), health: { impaired: true } })).toBe('failed')
})

test('silence for long is a failure only while others are heard', () => {
  const dead = report({ at: ago(deadMs) })
  expect(state({ report: dead })).toBe('failed')
  expect(state({ report: dead, lastHeard: ago(silentMs) })).toBe('starting')
  expect(state({ report: dead, lastHeard: undefined })).toBe('starting')
})
