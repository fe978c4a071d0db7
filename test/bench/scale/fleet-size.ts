export interface FleetSize {
  readonly cells: number
  readonly namespaces: number
}
