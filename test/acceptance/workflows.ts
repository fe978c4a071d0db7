import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow'

/** What the worker of the tests can do for a workflow. */
export interface Activities {
  greet(name: string): Promise<string>
}

const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '10 s' })

/** Asks an activity, and says what it said. */
export async function greeting(name: string): Promise<string> {
  return `${await greet(name)}!`
}

export const goOn = defineSignal('goOn')

/** Waits for a signal before it greets. */
export async function patientGreeting(name: string): Promise<string> {
  let allowed = false
  setHandler(goOn, () => {
    allowed = true
  })
  await condition(() => allowed)
  return greeting(name)
}
