// Each thread and each process of a cluster is observed by itself, and none loses what it told last.

import { describe, expect, test } from "vitest";
import { launch } from "./support/launch.ts";

const apps = "test/sdk/apps";
const files = ["main.cjs", "main.mjs"];
/** So that nothing is sent before the end. */
const late = { OTEL_BSP_SCHEDULE_DELAY: "30000" };

describe.each(files)("worker_threads: %s", (file) => {
  test.each([
    ["natural", "worker 0\n"],
    ["exit", "worker 3\n"],
  ])("a thread that ends by %s loses nothing", async (ending, told) => {
    const command = [process.execPath, `${apps}/threads/${file}`, ending];
    const app = await launch(command, { env: late });
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.output).toEqual({ stdout: told, stderr: "" });
    const found = await app.collector.spans({}, { count: 4 });
    expect(found.map(({ kind }) => kind).toSorted()).toEqual([
      "client",
      "client",
      "server",
      "server",
    ]);
    const instances = new Set(found.map(({ resource }) => resource["service.instance.id"]));
    expect(instances.size).toBe(2);
  });

  test("a thread that is terminated takes nobody else's spans along", async () => {
    const command = [process.execPath, `${apps}/threads/${file}`, "terminated"];
    const app = await launch(command, { env: late });
    expect(await app.ended).toEqual({ code: 0, signal: null });
    expect(app.output).toEqual({ stdout: "worker 1\n", stderr: "" });
    await app.collector.spans({ kind: "server" });
  });
});

test.each(files)("cluster: each process is an instance, and ends as ever: %s", async (file) => {
  const app = await launch([process.execPath, `${apps}/cluster/${file}`], { env: late });
  const url = await app.url();
  const pids = new Set<number>();
  let sent = 0;
  for (; pids.size < 2 && sent < 50; sent++) {
    pids.add(Number(await fetch(url).then((answer) => answer.text())));
  }
  app.child.kill("SIGTERM");
  expect(await app.ended).toEqual({ code: 0, signal: null });
  expect(app.output.stderr).toBe("");
  const spans = await app.collector.spans({ kind: "server" }, { count: sent });
  expect(spans).toHaveLength(sent);
  expect(new Set(spans.map(({ resource }) => resource["process.pid"]))).toEqual(pids);
  expect(new Set(spans.map(({ resource }) => resource["service.instance.id"])).size).toBe(2);
});
