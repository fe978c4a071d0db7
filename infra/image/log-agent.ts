/** A log file, and the group that CloudWatch's agent copies it to. */
export interface LogFile {
  readonly path: string
  readonly group: string
}

/** The configuration of CloudWatch's agent: it sends these files, and nothing else. */
export function logAgent(files: readonly LogFile[]): object {
  return {
    agent: { run_as_user: 'root' },
    logs: {
      force_flush_interval: 5,
      logs_collected: {
        files: {
          collect_list: files.map(({ path, group }) => ({
            file_path: path,
            log_group_name: group,
            log_stream_name: '{instance_id}',
            timezone: 'UTC',
          })),
        },
      },
    },
  }
}
