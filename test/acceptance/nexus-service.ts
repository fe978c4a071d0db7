import { operation, service } from 'nexus-rpc'

/** The service of the tests: greets at once, by a workflow, or by a workflow that waits until it is told to. */
export const greeter = service('greeter', {
  sync: operation<string, string>(),
  async: operation<string, string>(),
  patient: operation<string, string>(),
})
