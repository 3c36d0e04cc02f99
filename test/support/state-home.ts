// Where what the Prometheus output holds is kept: for benches that go on one after the other from what is in
// one file, as after kill -9, since nothing is closed before the end.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StateFile } from "../../collector/output/state-file.ts";
import { Incidents } from "../../collector/telemetry/incidents.ts";
import type { Bench } from "./prometheus-metrics.ts";

export class StateHome implements AsyncDisposable {
  readonly path: string;
  /** In the log of the collector. */
  readonly said: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "sonde-state-"));
  readonly #files: StateFile[] = [];

  constructor() {
    this.path = join(this.#folder, "state", "prometheus.state");
  }

  /** It goes on with what there is. */
  async moveIn(
    bench: Bench,
    { settled, logId = "one" }: { settled: () => number; logId?: string },
  ): Promise<Bench> {
    const file = new StateFile(this.path);
    this.#files.push(file);
    const incidents = new Incidents({ write: (line) => this.said.push(line) });
    await bench.metrics.keep({ name: "prometheus", file, logId, settled, incidents });
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
