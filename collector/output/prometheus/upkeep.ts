// What goes on beside the deliveries of an output that holds series: these are kept on disk, where there is a
// place for that, and what has expired is forgotten from time to time.

import { join } from "node:path";
import type { OutputContext } from "../output.ts";
import { StateFile } from "../state-file.ts";
import type { Metrics } from "./metrics.ts";

/** What has expired is not shown; this is only how long its memory is held after that. */
const sweepMs = 30_000;

/** From now on they go on with what was there, and are kept. */
export async function keepOnDisk(metrics: Metrics, context: OutputContext): Promise<void> {
  const { name, logId, incidents, stateDir, settled } = context;
  if (stateDir === undefined || !settled) return;
  const file = new StateFile(join(stateDir, `${name}.state`));
  await metrics.keep({ name, file, logId, incidents, settled: () => settled("metrics") });
}

/** Until it is told to stop. */
export function sweepNowAndThen(
  sweep: () => Promise<unknown>,
  { incidents, name }: Pick<OutputContext, "incidents" | "name">,
): () => void {
  const failed = (error: unknown): void => incidents.outputFailed(name, error);
  const timer = setInterval(() => void sweep().catch(failed), sweepMs);
  timer.unref();
  return () => clearInterval(timer);
}
