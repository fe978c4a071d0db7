import { describe, expect, it } from 'vitest'
import { readReport } from './read-report.ts'

const report = { state: 'ready', generation: 3, detail: '' }
const notice = { kind: 'interruption', at: '2026-01-02T03:04:05.000Z', detail: 'spot-terminate' }

describe('readReport', () => {
  it('takes what node agents send', () => {
    expect(readReport(report)).toEqual(report)
    expect(readReport({ ...report, generation: -1, notice })).toEqual({ ...report, generation: -1, notice })
  })

  it.each([
    ['no object', [report]],
    ['a state that is none', { ...report, state: 'excellent' }],
    ['a generation below -1', { ...report, generation: -2 }],
    ['a generation that no number holds', { ...report, generation: 2 ** 60 }],
    ['a generation that is text', { ...report, generation: '3' }],
    ['a NUL, which Postgres would not take', { ...report, detail: 'a\0b' }],
    ['several lines', { ...report, detail: 'a\nb' }],
    ['half a character', { ...report, detail: '\ud800' }],
    ['a detail without end', { ...report, detail: 'x'.repeat(2_001) }],
    ['fields of somebody else’s', { ...report, nodeId: 'node-2' }],
    ['another kind of notice', { ...report, notice: { ...notice, kind: 'promotion' } }],
    ['a time that is none', { ...report, notice: { ...notice, at: '2026-13-45T99:99:99Z' } }],
    ['a time without end', { ...report, notice: { ...notice, at: `2026-01-02T03:04:05.${'0'.repeat(500)}Z` } }],
    ['more in the notice', { ...report, notice: { ...notice, more: 1 } }],
  ])('refuses %s', (_, value) => {
    expect(() => readReport(value)).toThrow(RangeError)
  })
})
