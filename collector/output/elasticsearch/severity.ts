// What OpenTelemetry calls the levels of log records.

const severities = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;

/** 1 TRACE, 2 TRACE2, … 24 FATAL4. */
export function severityName(number: number): string {
  const nth = (number - 1) % 4;
  return `${severities[Math.floor((number - 1) / 4)]}${nth === 0 ? "" : nth + 1}`;
}
