// The last send, when the event loop will not turn again: after process.exit() or an uncaught exception
// nothing asynchronous happens any more, so another Node does it while this one waits.

import type * as https from "node:https";
import { messageOf, tell } from "../tell.ts";
import type { Unsent } from "./sender.ts";

export function sendAndWait(unsent: readonly Unsent[], withinMs: number): void {
  if (unsent.length === 0) return;
  const letters = unsent.map(({ target, body }) => ({
    url: target.url,
    headers: target.headers,
    tls: target.tls,
    body: Buffer.from(body.buffer, body.byteOffset, body.length).toString("base64"),
  }));
  // Without the options of this Node: the child is neither preloaded nor inspected.
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  try {
    spawnSync(process.execPath, ["--input-type=commonjs", "-e", `(${sendAll.toString()})()`], {
      input: JSON.stringify(letters),
      env: environment,
      timeout: withinMs,
      killSignal: "SIGKILL",
      stdio: ["pipe", "ignore", "ignore"],
      windowsHide: true,
    });
  } catch (error) {
    // Under --permission, unless it allows child processes; the message names the flag.
    tell(`what was not sent yet at the end is lost: ${messageOf(error)}`);
  }
}

interface Letter {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: object;
  readonly body: string;
}

/** Runs in the child from its source text alone, so it uses nothing from around it. */
function sendAll(): void {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const letters = JSON.parse(readFileSync(0, "utf8")) as Letter[];
  for (const { url, headers, tls, body } of letters) {
    const scheme = url.startsWith("https:") ? "node:https" : "node:http";
    const { request } = process.getBuiltinModule(scheme) as typeof https;
    const sent = request(url, { method: "POST", headers, ...tls, agent: false });
    sent.on("error", () => {});
    sent.on("response", (response) => response.resume());
    sent.end(Buffer.from(body, "base64"));
  }
}
