import fc from 'fast-check'
import { decide } from '#libs/authz'
import { cases, targetOf } from '../../policy/oracle/cases.ts'
import { cedarAllows, cedarCall } from '../../policy/oracle/cedar.ts'
import type { Measurement } from '../measurement.ts'
import { alternate } from '../rounds.ts'
import type { Screen } from '../screen.ts'
import { median, ratioOf } from '../statistics.ts'

/** As many different questions, of the kind that the two are compared by. */
const differentCases = 5_000

/** Decisions a second of one thread, ours and Cedar's, on the same questions. Needs no product. */
export async function benchAuthz({
  screen,
  quick,
}: {
  readonly screen: Screen
  readonly quick: boolean
}): Promise<readonly Measurement[]> {
  const asked = fc.sample(cases, { seed: 1, numRuns: differentCases })
  const ours = asked.map(({ claims, question, thing, askedTenantId }) => {
    const target = targetOf(question, thing, askedTenantId)
    if (claims.kind !== 'user' && claims.kind !== 'service_account') {
      return () => decide(claims, question.resource, question.rowAction, target)
    }
    // Claims are made anew at every call of the API, so that nothing may be remembered about them here.
    return () => {
      const fresh = { ...claims, customPermissions: [...claims.customPermissions] }
      return decide(fresh, question.resource, question.rowAction, target)
    }
  })
  const cedars = asked.map((each) => {
    const call = cedarCall(each)
    return () => cedarAllows(call)
  })
  const measureMs = quick ? 500 : 2_000
  const rounds = await alternate(screen, quick ? 3 : 7, {
    ours: async () => perSecond(ours, measureMs),
    cedar: async () => perSecond(cedars, measureMs),
  })
  return [
    {
      name: `Decisions of the authorizer, ${differentCases} questions in turn`,
      unit: '/s',
      ours: median(rounds.ours),
      floor: median(rounds.cedar),
      ratio: ratioOf(rounds.ours, rounds.cedar),
      target: { of: 'ratio', is: 'at least', value: 10 },
      note: 'One thread. Floor: Cedar (cedar-wasm) with its policies parsed beforehand and sliced by action; what it takes in as JSON at each call is a part of its cost, as it would be in the product. Both take questions that were put together beforehand.',
    },
  ]
}

function perSecond(decisions: readonly (() => unknown)[], measureMs: number): number {
  const began = performance.now()
  let made = 0
  let elapsedMs = 0
  while (elapsedMs < measureMs) {
    // Looking at the clock after each would cost more than a decision.
    for (let index = made % decisions.length, end = Math.min(index + 100, decisions.length); index < end; index += 1) {
      decisions[index]?.()
      made += 1
    }
    elapsedMs = performance.now() - began
  }
  return made / (elapsedMs / 1000)
}
