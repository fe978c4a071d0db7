import { Counter, Gauge, Histogram, type Registry } from '#libs/telemetry'

export interface DiscoveryMetrics {
  readonly builds: Counter<'result'>
  readonly buildSeconds: Histogram
  readonly waiting: Gauge
  readonly leftOut: Gauge<'cell'>
  readonly refusals: Counter<'result'>
  readonly reports: Counter<'result'>
  readonly turnedAway: Counter<'reason'>
}

export function discoveryMetrics(registry: Registry): DiscoveryMetrics {
  const registers = [registry]
  return {
    builds: new Counter({
      name: 'aqueduct_edge_builds_total',
      help: 'Edge documents built, by result',
      labelNames: ['result'],
      registers,
    }),
    buildSeconds: new Histogram({
      name: 'aqueduct_edge_build_seconds',
      help: 'Time to read and translate the intent of a cell',
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    waiting: new Gauge({ name: 'aqueduct_edge_polls_waiting', help: 'Node agents that wait for a change', registers }),
    leftOut: new Gauge({
      name: 'aqueduct_edge_namespaces_left_out',
      help: 'Namespaces that cannot be translated and are not served',
      labelNames: ['cell'],
      registers,
    }),
    refusals: new Counter({
      name: 'aqueduct_edge_refusals_total',
      help: 'Entries about refusals that nodes sent for the audit log, by what became of them',
      labelNames: ['result'],
      registers,
    }),
    reports: new Counter({
      name: 'aqueduct_edge_node_reports_total',
      help: 'Reports of nodes about themselves, by what became of them',
      labelNames: ['result'],
      registers,
    }),
    turnedAway: new Counter({
      name: 'aqueduct_edge_calls_turned_away_total',
      help: 'Calls with a certificate of a node that were not answered, by why',
      labelNames: ['reason'],
      registers,
    }),
  }
}
