import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policy } from '#libs/authz'
import type { Case } from './case.ts'
import { cases, questions, weAllow } from './cases.ts'
import { askedActions, cedarAllows, cedarCall } from './cedar.ts'

const seed = Number(process.env.ORACLE_SEED ?? 20_261_122)
const numRuns = Number(process.env.ORACLE_CASES ?? 100_000)

/** Roles that most rows do not let in. */
const strangers = ['developer', 'metrics_read', 'operator_viewer', 'namespace_read'] as const

/** Owners and admins are admins of every namespace: a row that lets those in need not name them, and some do. */
function isImplied(who: string, row: readonly string[]): boolean {
  return (who === 'owner' || who === 'admin') && row.some((each) => each.startsWith('namespace_'))
}

/** Whether an entry more would change anything: not where all may, nor for who has no such thing. */
function couldBeLetIn(who: (typeof strangers)[number], resource: string, row: readonly string[]): boolean {
  if (row.includes('anonymous')) return false
  if (who === 'namespace_read') return ['namespace', 'service_account', 'api_key', 'operation'].includes(resource)
  return who === 'operator_viewer' || resource !== 'operator'
}

/** Of every case, as they were answered: what the mutants below are shown. */
const answered: { readonly asked: Case; readonly allowed: boolean }[] = []

describe(`our policy against Cedar, ${numRuns} cases of seed ${seed}`, () => {
  it('asks the oracle about every method and every row, and nothing else', () => {
    const ours = new Set(questions.map(({ action }) => action))
    expect([...askedActions].filter((action) => !ours.has(action))).toEqual([])
    expect([...ours].filter((action) => !askedActions.has(action))).toEqual([])
  })

  it('decides alike', { timeout: 180_000 }, () => {
    fc.assert(
      fc.property(cases, (asked) => {
        const allowed = cedarAllows(cedarCall(asked))
        answered.push({ asked, allowed })
        return weAllow(asked) === allowed
      }),
      { seed, numRuns },
    )
    const share = answered.filter(({ allowed }) => allowed).length / answered.length
    // Neither side is bored.
    expect(share).toBeGreaterThan(0.1)
    expect(share).toBeLessThan(0.9)
  })

  it('would find any one entry of the policy that was left out, and any role that was let in', {
    timeout: 180_000,
  }, () => {
    const rows: Record<string, Record<string, readonly string[]>> = policy
    const byRow = Map.groupBy(answered, ({ asked }) => `${asked.question.resource}.${asked.question.rowAction}`)
    const unseen: string[] = []
    for (const { resource, rowAction } of questions) {
      const actions = rows[resource]
      const row = actions?.[rowAction]
      if (actions === undefined || row === undefined) throw new Error(`there is no row ${resource}.${rowAction}`)
      const mutants = [
        ...row
          .filter((who) => !isImplied(who, row))
          .map((who) => ({ name: `without ${who}`, who: row.filter((each) => each !== who) })),
        ...strangers
          .filter((who) => !row.includes(who) && couldBeLetIn(who, resource, row))
          .map((who) => ({ name: `with ${who}`, who: [...row, who] })),
      ]
      for (const { name, who } of mutants) {
        actions[rowAction] = who
        const found = byRow.get(`${resource}.${rowAction}`)?.some(({ asked, allowed }) => weAllow(asked) !== allowed)
        actions[rowAction] = row
        if (found !== true) unseen.push(`${resource}.${rowAction} ${name}`)
      }
    }
    expect(unseen).toEqual([])
  })
})
