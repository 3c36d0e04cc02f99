// What V8 has made fast code of stays fast. It gives such code up where an object is of another
// kind than all before, which is as it should be, once or twice at a place. Where it is given up
// again and again, requests take longer by a tenth and nothing else shows it.

import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, type Built } from "../support/build.ts";
import { nodeOf } from "../support/on-demand.ts";
import { listen } from "./support/http.ts";
import { launch, root } from "./support/launch.ts";

const requests = 5000;
const atATime = 20;
/** At one place, for any number of requests. */
const usual = 6;

let built: Built;
beforeAll(async () => void (built = await build()));
afterAll(() => built.remove());

describe.each([22, 24, 26])("Node %i", (major) => {
  const node = nodeOf(major);

  test.skipIf(!node)("gives up no code of ours again and again", async () => {
    const stock = createServer((_request, response) => void response.end("3"));
    const env = {
      // As an app has them: what is sent when nothing is fast yet does no harm.
      OTEL_BSP_SCHEDULE_DELAY: "5000",
      OTEL_BLRP_SCHEDULE_DELAY: "5000",
      OTEL_METRIC_EXPORT_INTERVAL: "60000",
      NODE_OPTIONS: `--require ${built.register}`,
      BENCH_EXPRESS: join(root, "node_modules/express4"),
      BENCH_STOCK: `http://127.0.0.1:${await listen(stock)}`,
    };
    const options = ["--trace-deopt", "--trace-deopt-verbose"];
    const file = "test/bench/sdk-apps/express.cjs"; // which does what is measured
    const app = await launch([node ?? "", ...options, file], { env });
    const url = await app.url();
    for (let sent = 0; sent < requests; sent += atATime) {
      const answers = Array.from({ length: atATime }, () => fetch(`${url}/orders/7`));
      for (const answer of answers) await (await answer).text();
    }
    app.child.kill("SIGTERM");
    await app.ended;
    stock.closeAllConnections();
    stock.close();
    const places = new Map<string, number>();
    const given = app.output.stdout.matchAll(/deoptimize at <[^>]*?(sonde\.cjs[^>]*)>/g);
    for (const [, place = ""] of given) places.set(place, (places.get(place) ?? 0) + 1);
    expect(places.size).toBeGreaterThan(0); // else nothing has been looked at
    expect([...places].filter(([, times]) => times > usual)).toEqual([]);
  });
});
