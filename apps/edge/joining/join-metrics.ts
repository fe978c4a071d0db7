import { Counter, type Registry } from '#libs/telemetry'

/** Attempts to join by what became of them: `signed`, `waiting`, or why they were refused. */
export function joinMetrics(registry: Registry): Counter<'result'> {
  return new Counter({
    name: 'aqueduct_edge_joins_total',
    help: 'Attempts of machines to become a node, by what became of them',
    labelNames: ['result'],
    registers: [registry],
  })
}
