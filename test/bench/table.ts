import { isMet, type Measurement } from './measurement.ts'

const heads = ['', 'ours', 'floor', 'ratio (rounds)', 'target', ''] as const

/** The measurements as text, one a line, and their notes below. */
export function renderTable(measurements: readonly Measurement[]): string {
  const notes = [...new Set(measurements.flatMap(({ note }) => note ?? []))]
  const rows = measurements.map((measurement) => cells(measurement, notes))
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  const below = notes.map((note, index) => `[${index + 1}] ${note}`)
  return [line(heads), ...rows.map(line), ...(below.length > 0 ? ['', ...below] : [])].join('\n')
}

function cells(measurement: Measurement, notes: readonly string[]): readonly string[] {
  const { name, unit, ours, floor, ratio, target, note } = measurement
  const met = isMet(measurement)
  const range = ratio === undefined || ratio.low === ratio.high ? '' : ` (${times(ratio.low)} to ${times(ratio.high)})`
  return [
    note === undefined ? name : `${name} [${notes.indexOf(note) + 1}]`,
    figure(ours, unit),
    floor === undefined ? '' : figure(floor, unit),
    ratio === undefined ? '' : `${times(ratio.median)} ×${range}`,
    target === undefined
      ? ''
      : `${target.is === 'at most' ? '≤' : '≥'} ${target.of === 'ratio' ? `${target.value} ×` : figure(target.value, unit)}`,
    met === undefined ? '' : met ? 'ok' : 'MISS',
  ]
}

function times(value: number): string {
  return value.toFixed(2)
}

function figure(value: number, unit: Measurement['unit']): string {
  return `${value >= 100 ? Math.round(value) : value.toFixed(value >= 10 ? 1 : 2)} ${unit}`
}
