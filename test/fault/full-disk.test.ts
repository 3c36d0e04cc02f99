// A disk that is full, or may not be written to: what is acknowledged stays, the sender is told the truth,
// delivery goes on, and data is taken again as soon as there is space, without anybody's help.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { until } from "../support/until.ts";
import { httpClient } from "./clients.ts";
import { Destination, Ledger } from "./ledger.ts";
import { markedRequest } from "./marked-requests.ts";
import { isNamespaceAbsent, makeSmallDisk, type SmallDisk } from "./small-disk.ts";

describe.skipIf(isNamespaceAbsent())("on a disk of one MiB", () => {
  let folder: string;
  let disk: SmallDisk;
  let destination: Destination;
  let ledger: Ledger;
  let requests = 0;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sonde-full-"));
    mkdirSync(join(folder, "disk"));
    disk = await makeSmallDisk(join(folder, "disk"), "1m");
    destination = await Destination.start();
    ledger = new Ledger([destination]);
  });
  afterEach(async () => {
    await destination.close();
    await disk.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(life: number): Promise<CollectorProcess> {
    const env = {
      SONDE_DATA_DIR: join(disk.path, "data"),
      SONDE_OTLP_ENDPOINT: destination.endpoint(life),
      SONDE_PROMETHEUS_PORT: "off",
    };
    return await startCollector({ dataDir: folder, env, under: disk.under });
  }

  async function send(
    collector: CollectorProcess,
  ): Promise<"acknowledged" | "refused" | undefined> {
    const request = markedRequest("traces", 20, `request ${requests++}`);
    ledger.sent.set(request.name, request.items);
    const client = httpClient(collector.otlpHttp);
    const answer = await client.send(request);
    client.close();
    if (answer === "acknowledged") ledger.acknowledged.add(request.name);
    return answer;
  }

  const allArrived = (): Promise<true> =>
    until(
      "all that was acknowledged arrives",
      () => ledger.verdict().lost.length === 0 || undefined,
    );

  test("what it filled itself is delivered, and what follows is taken again", async () => {
    destination.behaviour = "refuses";
    const collector = await start(0);
    // What is cut off behind a write that failed may be room enough for a smaller one.
    for (let refused = 0; refused < 3;) {
      refused = (await send(collector)) === "refused" ? refused + 1 : 0;
    }
    expect(ledger.acknowledged.size).toBeGreaterThan(50);
    expect(collector.stderr()).toMatch(/takes nothing \(failed\): ENOSPC/);
    destination.behaviour = "takes";
    await until("it takes data again", async () => (await send(collector)) === "acknowledged");
    await allArrived();
    await collector.kill("SIGTERM");
  });

  test("a restart on the full disk delivers what is there, and data is taken again", async () => {
    destination.behaviour = "refuses";
    const collector = await start(0);
    while ((await send(collector)) === "acknowledged");
    await collector.kill("SIGKILL");
    fill(join(disk.seen, "theirs"));
    destination.behaviour = "takes";
    const again = await start(1);
    await allArrived();
    await until("it takes data again", async () => (await send(again)) === "acknowledged");
    await allArrived();
    await again.kill("SIGTERM");
  });

  test("what others filled: it goes on within 5 s after they make room, over and over", async () => {
    const collector = await start(0);
    expect(await send(collector)).toBe("acknowledged");
    for (let cycle = 0; cycle < 5; cycle++) {
      fill(join(disk.seen, "theirs"));
      await until("it refuses", async () => (await send(collector)) === "refused");
      rmSync(join(disk.seen, "theirs"));
      await until("it takes again", async () => (await send(collector)) === "acknowledged", 5_000);
    }
    await allArrived();
    await collector.kill("SIGKILL");
    const again = await start(1);
    expect(await send(again)).toBe("acknowledged");
    await allArrived();
    await again.kill("SIGTERM");
  });

  test("when it may not be written to, it does not start and says so", async () => {
    disk.remount("ro");
    await expect(start(0)).rejects.toThrow(/data_dir: cannot make .*EROFS; give a data_dir/);
    disk.remount("rw");
    const collector = await start(0);
    expect(await send(collector)).toBe("acknowledged");
    await allArrived();
    await collector.kill("SIGKILL");
    disk.remount("ro");
    await expect(start(1)).rejects.toThrow(/data_dir: cannot write to .*EROFS; give a data_dir/);
    disk.remount("rw");
    await (await start(2)).kill("SIGTERM");
  });
});

function fill(file: string): void {
  writeFileSync(file, "");
  for (const size of [1 << 16, 1 << 12, 1 << 6]) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
