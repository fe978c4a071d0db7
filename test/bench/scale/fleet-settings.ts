/** The provisioner's environment: as `SmallWorld` has it, or every manifest would have to be made anew. */
export function fleetSettings(databaseUrl: string, cellDatabaseUrl: string): Readonly<Record<string, string>> {
  return {
    AQUEDUCT_DATABASE_URL: databaseUrl,
    AQUEDUCT_DATA_DIR: '/nonexistent',
    AQUEDUCT_REGIONS: JSON.stringify([
      { id: 'aws-us-east-1', driver: 'fake', cellSize: 'small', nodeLimit: 1_000_000 },
    ]),
    AQUEDUCT_CELL_DATABASE_URL: cellDatabaseUrl,
    AQUEDUCT_DISCOVERY_HOST: 'discovery.test',
    AQUEDUCT_DISCOVERY_PORT: '1',
    TEMPORAL_SERVER: '/bin/temporal-server',
    TEMPORAL_SQL_TOOL: '/bin/temporal-sql-tool',
    ENVOY: '/bin/envoy',
  }
}
