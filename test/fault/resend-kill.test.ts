// kill -9 while dead letters are being sent again: each of them must have been taken by the destination
// or still be in the file, whole. Twice is allowed.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { cleanEnv, type CollectorProcess, startCollector } from "../support/collector-process.ts";
import { letter, readLetters, requestOf, spanNamed, writeLetters } from "../support/letters.ts";
import { decodeRequest } from "../support/otlp.ts";
import { type Sink, startSink } from "../support/sink.ts";
import { until } from "../support/until.ts";

const rounds = Number(process.env["SONDE_TEST_RESEND_ROUNDS"] ?? 8);
const letters = 400;
const main = fileURLToPath(new URL("../../collector/main.ts", import.meta.url));

const dataDir = mkdtempSync(join(tmpdir(), "sonde-resend-kill-"));
const file = join(dataDir, "dead", "archive.jsonl");
let sink: Sink | undefined;
let collector: CollectorProcess | undefined;

afterEach(async () => {
  await collector?.kill("SIGKILL");
  await sink?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const namesIn = (bytes: Uint8Array): string[] =>
  (decodeRequest("traces", bytes).resourceSpans ?? [])
    .flatMap(({ scopeSpans = [] }) => scopeSpans)
    .flatMap(({ spans = [] }) => spans.map(({ name = "" }) => name));

const inFile = (): string[] =>
  readLetters(file).flatMap(({ request }) => namesIn(Buffer.from(request, "base64")));

test(`in ${rounds} rounds of kill -9 no letter is lost`, { timeout: 300_000 }, async () => {
  sink = await startSink();
  const { requests, url } = sink;
  writeFileSync(
    join(dataDir, "sonde.yaml"),
    `outputs:\n  archive: { type: otlp, endpoint: "${url}" }\n`,
  );
  const env = { SONDE_CONFIG: join(dataDir, "sonde.yaml") };
  // Every seventh is refused for good, so that letters are changed as well as taken out.
  sink.misbehave = (response, bytes) =>
    /-\d*[07]"/.test(JSON.stringify(namesIn(bytes))) && !!response.writeHead(400).end("no");

  let killedMidway = 0;
  const lost: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const written = Array.from({ length: letters }, (_, index) => `${round}-${index}`);
    writeLetters(
      file,
      written.map((name, position) =>
        letter(position, { items: 1, request: requestOf("traces", spanNamed(name)) }),
      ),
    );
    requests.length = 0;
    collector = await startCollector({ dataDir, env });
    const command = spawn(process.execPath, ["--conditions=source", main, "dead", "resend"], {
      env: cleanEnv({ SONDE_DATA_DIR: dataDir, ...env }),
      stdio: "ignore",
    });
    const ended = new Promise((done) => command.on("close", done));
    const enough = 1 + ((round * 37) % 120);
    await until("some are taken", () => requests.length >= enough || command.exitCode !== null);
    await collector.kill("SIGKILL");
    await ended;
    const taken = new Set(requests.flatMap(({ bytes }) => namesIn(bytes)));
    const kept = inFile();
    if (taken.size < letters && kept.length === letters) killedMidway++;
    const here = new Set([...kept, ...taken]);
    lost.push(...written.filter((name) => !here.has(name)));
  }
  process.stdout.write(
    `resend: ${rounds} rounds of ${letters} letters, ${killedMidway} killed midway, ${lost.length} lost\n`,
  );
  expect(lost).toEqual([]);
  expect(killedMidway).toBeGreaterThan(rounds / 2);

  // What the last one left is sent as if nothing had been, and its half file is gone.
  collector = await startCollector({ dataDir, env });
  const answer = await fetch(`${collector.web}/api/dead/archive/resend`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const { accepted, refused, left } = (await answer.json()) as Record<string, number>;
  expect([answer.status, left]).toEqual([200, 0]);
  expect(inFile().length).toBe(refused);
  expect((accepted ?? 0) + (refused ?? 0)).toBe(letters);
  expect(readdirSync(join(dataDir, "dead"))).toEqual(["archive.jsonl"]);
});
