import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { HttpCodeTarget, type NetworkTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import { FilterPattern, MetricFilter } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { DataStack } from '../data/data-stack.ts'
import type { LogGroups, LoggingPart } from '../logs/log-groups.ts'
import type { PartService } from './part-service.ts'
import type { PublicBalancers } from './public-balancers.ts'

export interface AlarmsProps {
  readonly topic: ITopic
  readonly data: DataStack
  readonly logs: LogGroups
  readonly services: readonly PartService[]
  readonly balancers: PublicBalancers
  readonly nodesTargets: readonly NetworkTargetGroup[]
}

interface Rule {
  readonly above?: number
  readonly below?: number
  /** Of five minutes each. */
  readonly periods: number
}

/** Lines of the logs that a person has to hear of; `docs/operations.md` says what each means. */
const lines: readonly (readonly [LoggingPart, string])[] = [
  ['provisioner', 'operation overdue'],
  ['provisioner', 'certificate not renewed'],
  ['edge', 'the edge leaves a namespace out'],
]

/** What wakes somebody: callers see it, or soon will. */
export class Alarms extends Construct {
  readonly #topic: ITopic

  constructor(scope: Construct, id: string, { topic, data, logs, services, balancers, nodesTargets }: AlarmsProps) {
    super(scope, id)
    this.#topic = topic
    const period = Duration.minutes(5)
    const failures = balancers.api.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, {
      period,
      statistic: Stats.SUM,
    })
    this.#alarm('ApiFailures', 'The API answers with 5xx', failures, { above: 10, periods: 1 })
    for (const [index, target] of balancers.applicationTargets.entries()) {
      const unhealthy = target.metrics.unhealthyHostCount({ period, statistic: Stats.MAXIMUM })
      this.#alarm(`ApiUnhealthy${index}`, 'A machine of the API is not ready', unhealthy, { above: 0, periods: 2 })
    }
    for (const [index, target] of nodesTargets.entries()) {
      const unhealthy = target.metrics.unHealthyHostCount({ period, statistic: Stats.MAXIMUM })
      this.#alarm(`DiscoveryUnhealthy${index}`, 'Discovery or join does not answer', unhealthy, {
        above: 0,
        periods: 2,
      })
    }
    for (const { node, group } of services) {
      const inService = new Metric({
        namespace: 'AWS/AutoScaling',
        metricName: 'GroupInServiceInstances',
        dimensionsMap: { AutoScalingGroupName: group.autoScalingGroupName },
        ...{ period, statistic: Stats.MINIMUM },
      })
      this.#alarm(`Few${node.id}`, `Fewer than two machines: ${node.id}`, inService, { below: 2, periods: 3 })
    }
    for (const [name, { instance }] of Object.entries({ Product: data.product, Cells: data.cells })) {
      const space = instance.metricFreeStorageSpace({ period, statistic: Stats.MINIMUM })
      this.#alarm(`${name}Space`, `Database ${name}: less than 5 GiB are free`, space, {
        below: 5 * 2 ** 30,
        periods: 1,
      })
      const cpu = instance.metricCPUUtilization({ period })
      this.#alarm(`${name}Busy`, `Database ${name}: busy for half an hour`, cpu, { above: 85, periods: 6 })
    }
    for (const part of ['api', 'provisioner', 'edge'] as const) {
      const errors = this.#count(logs, part, `${part}Errors`, FilterPattern.stringValue('$.level', '=', 'error'))
      this.#alarm(`${part}Errors`, `The ${part} logs errors`, errors, { above: 5, periods: 2 })
    }
    for (const [index, [part, message]] of lines.entries()) {
      const seen = this.#count(logs, part, `Line${index}`, FilterPattern.stringValue('$.msg', '=', message))
      this.#alarm(`Line${index}`, `The ${part} says: ${message}`, seen, { above: 0, periods: 1 })
    }
  }

  #count(
    logs: LogGroups,
    part: LoggingPart,
    name: string,
    filterPattern: ReturnType<typeof FilterPattern.stringValue>,
  ) {
    const filter = new MetricFilter(this, `${name}Filter`, {
      logGroup: logs.groups[part],
      filterPattern,
      metricNamespace: 'Aqueduct',
      metricName: name,
      metricValue: '1',
    })
    return filter.metric({ period: Duration.minutes(5), statistic: Stats.SUM })
  }

  #alarm(id: string, description: string, metric: IMetric, { above, below, periods }: Rule): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: description,
      metric,
      threshold: above ?? below ?? 0,
      comparisonOperator:
        above === undefined ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      // What counts machines or space says so all the time; what counts mishaps is silent when there is none.
      treatMissingData: above === undefined ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    const action = new SnsAction(this.#topic)
    alarm.addAlarmAction(action)
    alarm.addOkAction(action)
  }
}
