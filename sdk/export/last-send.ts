// The last send, when the event loop will not turn again: after process.exit() or an uncaught exception
// nothing asynchronous happens any more, so another Node does it while this one waits.

import type * as http2 from "node:http2";
import type * as https from "node:https";
import { messageOf, tell } from "../tell.ts";
import type { Unsent } from "./sender.ts";

export function sendAndWait(unsent: readonly Unsent[], withinMs: number): void {
  if (unsent.length === 0) return;
  const letters = unsent.map(({ target, method, body }) => ({
    url: target.url,
    headers: target.headers,
    tls: target.tls,
    method,
    body: Buffer.from(body.buffer, body.byteOffset, body.length).toString("base64"),
  }));
  // Without the options of this Node: the child is neither preloaded nor inspected.
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const program = `${[sendAll, post, call].map(String).join("\n")}\n${sendAll.name}()`;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  try {
    spawnSync(process.execPath, ["--input-type=commonjs", "-e", program], {
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
  readonly method: string | undefined;
  readonly body: string;
}

// These run in the child from their source text alone, and use nothing else from here.

function sendAll(): void {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const letters = JSON.parse(readFileSync(0, "utf8")) as Letter[];
  for (const { url, headers, tls, method, body } of letters) {
    const bytes = Buffer.from(body, "base64");
    if (method === undefined) post(url, { method: "POST", headers, ...tls, agent: false }, bytes);
    else call(url, tls, { ":method": "POST", ":path": method, ...headers }, bytes);
  }
}

function post(url: string, options: https.RequestOptions, bytes: Buffer): void {
  const scheme = url.startsWith("https:") ? "node:https" : "node:http";
  const { request } = process.getBuiltinModule(scheme) as typeof https;
  const sent = request(url, options);
  sent.on("error", () => {});
  sent.on("response", (response) => response.resume());
  sent.end(bytes);
}

function call(url: string, tls: object, headers: http2.OutgoingHttpHeaders, bytes: Buffer): void {
  const { connect } = process.getBuiltinModule("node:http2");
  const session = connect(url, tls);
  session.on("error", () => {});
  const sent = session.request({
    ...headers,
    "content-type": "application/grpc",
    "user-agent": "sonde",
    te: "trailers",
  });
  sent.on("error", () => {});
  sent.on("close", () => session.destroy());
  sent.resume();
  const prefix = Buffer.alloc(5); // not compressed, and how long it is
  prefix.writeUInt32BE(bytes.length, 1);
  sent.end(Buffer.concat([prefix, bytes]));
}
