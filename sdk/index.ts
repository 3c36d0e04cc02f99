// The public API.

export { start } from "./start.ts";
export type { Sonde } from "./start.ts";
export { metrics } from "./metrics/helpers.ts";
export type { Metrics, Timer } from "./metrics/helpers.ts";
export { tracked } from "./metrics/tracked.ts";
export type { TrackedDecorator } from "./metrics/tracked.ts";
export { health } from "./health.ts";
export type {
  Check,
  CheckOptions,
  CheckReport,
  HandlerOptions,
  Health,
  HealthHandler,
  HealthReport,
  ReportOptions,
} from "./health.ts";
