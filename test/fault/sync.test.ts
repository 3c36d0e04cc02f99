// An answer follows the sync: when fdatasync fails, nobody is told 200, and what was told 200 is there.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { startCollector } from "../support/collector-process.ts";
import { sampleBatch } from "../support/otlp.ts";
import { post } from "../support/post.ts";
import { startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";
import { isStraceAbsent } from "./strace.ts";

const failures = [
  { what: "fdatasync fails with EIO", call: "fdatasync", error: "EIO" },
  { what: "the disk is full", call: "pwritev,pwrite64", error: "ENOSPC" },
];

describe.skipIf(isStraceAbsent())("while the disk does not do what it is told", () => {
  test.each(failures)("$what: refused, and all else is kept", async ({ call, error }) => {
    const folder = mkdtempSync(join(tmpdir(), "sonde-sync-"));
    const dataDir = join(folder, "data");
    const trace = join(folder, "trace");
    const sink = await startSink();
    try {
      // One thread for the disk, because strace counts calls for each thread apart.
      const env = { UV_THREADPOOL_SIZE: "1", SONDE_OTLP_ENDPOINT: sink.url };
      const inject = `inject=${call}:error=${error}:when=6..9`;
      const under = ["strace", "-f", "-qq", "-o", trace, "-e", `trace=${call}`, "-e", inject];
      const faulty = await startCollector({ dataDir, env, under });
      // Nothing leaves while the faults last, so that all of it is read from the disk afterwards.
      sink.misbehave = (response) => !!response.writeHead(503).end();
      const acknowledged: Uint8Array[] = [];
      const statuses: number[] = [];
      for (let seed = 1; seed <= 15; seed++) {
        const { bytes } = sampleBatch("traces", { items: 2, seed });
        const status = await post(faulty.otlpHttp, "traces", bytes);
        statuses.push(status);
        if (status === 200) acknowledged.push(bytes);
      }
      const exited = faulty.kill("SIGCONT"); // strace ends with what it runs
      process.kill(Number(readFileSync(join(dataDir, "log", "lock"), "utf8").split(" ")[0]), 9);
      await exited;

      expect(readFileSync(trace, "utf8")).toContain("(INJECTED)");
      expect(new Set(statuses)).toEqual(new Set([200, 503]));
      expect(acknowledged.length).toBeGreaterThan(5);
      // The file that failed is not written to again: a later sync of it would prove nothing.
      const files = readdirSync(join(dataDir, "log")).filter((name) => name.endsWith(".segment"));
      expect(files.length).toBeGreaterThan(1);

      sink.misbehave = undefined;
      const again = await startCollector({ dataDir, env: { SONDE_OTLP_ENDPOINT: sink.url } });
      const sent = Buffer.concat(acknowledged);
      const received = (): Buffer => Buffer.concat(sink.requests.map(({ bytes }) => bytes));
      await until("all that was acknowledged arrives", () => received().equals(sent));
      await again.kill("SIGTERM");
    } finally {
      await sink.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
