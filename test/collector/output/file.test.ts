import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AppendFile, endOfLastLine } from "../../../collector/output/append-file.ts";
import { open } from "../../../collector/output/file/file.ts";
import { settings } from "../../../collector/output/file/settings.ts";
import type { Outcome, Output } from "../../../collector/output/output.ts";
import type { Signal } from "../../../collector/wire/batch.ts";
import { toJson } from "../../../collector/wire/to-json.ts";
import { deliveryOf, outputContext } from "../../contract/output.ts";
import { requestFromJson } from "../../support/otlp-json.ts";
import { decodeRequest } from "../../support/otlp.ts";
import { problems } from "../config/folder.ts";

let folder: string;
let path: string;
const outputs: Output[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sonde-file-"));
  path = join(folder, "out");
});
afterEach(async () => {
  await Promise.all(outputs.splice(0).map((output) => output.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function openWith(given: object = {}): Promise<Output> {
  const output = await open(settings.parse({ path, ...given }), outputContext());
  outputs.push(output);
  return output;
}

const protobuf = { format: "protobuf", signals: ["traces"] };
const done: Outcome = { kind: "delivered" };

function deliver(output: Output, items: readonly number[], signal: Signal = "traces", from = 0) {
  return output.deliver(deliveryOf(signal, items, from), new AbortController().signal);
}

const lines = (file = path): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);

function records(): Buffer[] {
  const bytes = readFileSync(path);
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    found.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

test("JSON: a line for each batch, which a foreign reader takes for the same request", async () => {
  const output = await openWith();
  for (const signal of ["traces", "metrics", "logs"] as const) {
    expect(await deliver(output, [3, 4], signal)).toEqual(done);
  }
  expect(lines().map((line) => Object.keys(JSON.parse(line) as object))).toEqual(
    ["Spans", "Spans", "Metrics", "Metrics", "Logs", "Logs"].map((what) => [`resource${what}`]),
  );
  const sent = deliveryOf("traces", [3, 4]).entries;
  expect(requestFromJson("traces", lines()[1]!)).toEqual(
    decodeRequest("traces", sent[1]!.batch.bytes),
  );
});

test("protobuf: each batch as it is, behind its length", async () => {
  const output = await openWith(protobuf);
  const delivery = deliveryOf("traces", [3, 4]);
  expect(await output.deliver(delivery, new AbortController().signal)).toEqual(done);
  expect(records()).toEqual(delivery.entries.map(({ batch }) => Buffer.from(batch.bytes)));
});

test("only its owner may read what is in it", async () => {
  await deliver(await openWith(), [1]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("nothing is made of it until something is delivered", async () => {
  const output = await openWith();
  expect(existsSync(path)).toBe(false);
  await output.close();
  expect(existsSync(path)).toBe(false);
});

test("- is standard output, where the lines go as they are", async () => {
  let text = "";
  const write = async (bytes: Uint8Array): Promise<void> => {
    text += Buffer.from(bytes).toString();
  };
  const output = await open(settings.parse({ path: "-" }), outputContext(), write);
  expect(await deliver(output, [3], "logs")).toEqual(done);
  expect(text).toBe(`${toJson("logs", deliveryOf("logs", [3]).entries[0]!.batch.bytes)}\n`);
  await output.close();
});

describe("after a crash", () => {
  test.each(["{", '{"resourceSpans":[{"resource":', "\0\0\0\0"])(
    "a torn line %j is cut off, what stands before it stays",
    async (torn) => {
      await deliver(await openWith(), [3, 4]);
      appendFileSync(path, torn);
      const before = lines();
      await deliver(await openWith(), [5], "traces", 2);
      expect(lines().slice(0, 2)).toEqual(before);
      expect(lines().length).toBe(3);
      for (const line of lines()) expect(() => JSON.parse(line) as unknown).not.toThrow();
    },
  );

  test("a line of more than a piece of the file that is all there is", async () => {
    writeFileSync(path, `{"resourceSpans":"${"x".repeat(200_000)}`);
    await deliver(await openWith(), [3]);
    expect(lines().length).toBe(1);
  });

  test("a torn record is cut off wherever it was torn", async () => {
    await deliver(await openWith(protobuf), [3, 4, 5]);
    const whole = readFileSync(path);
    const [first, second] = records();
    const begin = 8 + first!.length + second!.length;
    for (const size of [begin + 1, begin + 3, begin + 4, begin + 5, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, size));
      await deliver(await openWith(protobuf), [3], "traces", 9);
      expect(records().length).toBe(3);
      expect(records().slice(0, 2)).toEqual([first, second]);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(5000)])); // grown, but not written
    await deliver(await openWith(protobuf), [3], "traces", 9);
    expect(records().length).toBe(4);
  });

  test("of many records, beyond what is read at a time", async () => {
    const many = Array<number>(900).fill(1);
    await deliver(await openWith(protobuf), many);
    expect(statSync(path).size).toBeGreaterThan(256 * 1024);
    appendFileSync(path, Buffer.from([0, 0, 9]));
    await deliver(await openWith(protobuf), [1], "traces", 999);
    expect(records().length).toBe(901);
  });
});

test.each([
  [{}, "root:x:0:0:root"],
  [{}, "\0\0\0\0"],
  [protobuf, "root:x:0:0:root"],
  [protobuf, "abc"],
  [protobuf, '{"resourceSpans":[]}\n'],
])("a file that holds something else is not touched, %o %j", async (given, text) => {
  writeFileSync(path, text);
  expect(await deliver(await openWith(given), [3])).toMatchObject({
    kind: "retry",
    reason: "server_error",
    detail: expect.stringContaining("give another path") as string,
  });
  expect(readFileSync(path, "utf8")).toBe(text);
});

describe("set aside by size", () => {
  const limited = { max_bytes: "1MiB", max_files: 2 };
  const itemsOf = (file: string): number =>
    lines(file).reduce((sum, line) => {
      const [group] = requestFromJson("traces", line).resourceSpans!;
      return sum + group!.scopeSpans![0]!.spans!.length;
    }, 0);

  test("no file is larger, none is lost but the oldest, no line is divided", async () => {
    const output = await openWith(limited);
    for (let index = 0; index < 12; index++) {
      expect(await deliver(output, [200], "traces", index)).toEqual(done);
    }
    expect(readdirSync(folder).toSorted()).toEqual(["out", "out.1", "out.2"]);
    for (const name of ["out", "out.1", "out.2"]) {
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1 << 20);
    }
    const perFile = itemsOf(join(folder, "out.1"));
    expect(itemsOf(join(folder, "out.2"))).toBe(perFile);
    expect(perFile).toBeGreaterThanOrEqual(600);
    expect(itemsOf(path)).toBeLessThanOrEqual(perFile);
  });

  test("a crash in the midst of it leaves a gap, and overwrites nothing", async () => {
    for (const [name, text] of [
      ["out", `{}${" ".repeat(1 << 20)}\n`],
      ["out.2", '{"youngest":1}\n'],
    ] as const) {
      writeFileSync(join(folder, name), text);
    }
    await deliver(await openWith({ ...limited, max_files: 3 }), [3]);
    expect(readdirSync(folder).toSorted()).toEqual(["out", "out.1", "out.3"]);
    expect(readFileSync(join(folder, "out.3"), "utf8")).toBe('{"youngest":1}\n');
    expect(statSync(join(folder, "out.1")).size).toBeGreaterThan(1 << 20);
  });

  test("a file that somebody else has moved away is left, and another begun", async () => {
    const output = await openWith();
    await deliver(output, [3]);
    renameSync(path, join(folder, "moved"));
    expect(await deliver(output, [4], "traces", 1)).toEqual(done);
    expect(lines().length).toBe(1);
    expect(lines(join(folder, "moved")).length).toBe(1);
  });
});

describe("where it cannot be written it is tried again, and says why", () => {
  test.each([
    ["/dev/full", "server_error", "ENOSPC"],
    ["/nowhere/out.jsonl", "not_found", "ENOENT"],
    ["/", "server_error", "EISDIR"],
  ])("%s: %s", async (path, reason, detail) => {
    const output = await openWith({ path });
    expect(await deliver(output, [3])).toMatchObject({
      kind: "retry",
      reason,
      detail: expect.stringContaining(detail) as string,
    });
    expect(await deliver(output, [3])).toMatchObject({ kind: "retry", reason });
  });

  test("what was written of an append that failed midway is not left behind", async () => {
    const file = await AppendFile.open(path, { wholeUpTo: endOfLastLine });
    await file.append([Buffer.from("first\n")]);
    function* failing(): Generator<Uint8Array> {
      yield Buffer.from("half of the sec");
      throw new Error("disk full");
    }
    await expect(file.append(failing())).rejects.toThrow("disk full");
    expect(readFileSync(path, "utf8")).toBe("first\n");
    await file.append([Buffer.from("second\n")]);
    expect(readFileSync(path, "utf8")).toBe("first\nsecond\n");
    expect(file.sizeBytes).toBe(13);
    await file.close();
  });
});

test("what is too large for JSON is refused for good, not tried for ever", async () => {
  const output = await openWith();
  const [entry] = deliveryOf("logs", [1]).entries;
  const bytes = new Uint8Array((64 << 20) + 1);
  const entries = [{ ...entry!, batch: { ...entry!.batch, bytes } }];
  const delivery = { signal: "logs", entries, items: 1, bytes: bytes.length } as const;
  expect(await output.deliver(delivery, new AbortController().signal)).toMatchObject({
    kind: "rejected",
    reason: "too_large",
    items: 1,
  });
});

test.each([
  [{ path: "-", max_bytes: "1GiB" }, "max_bytes", "is for files"],
  [{ path: "out", format: "protobuf" }, "format", "does not tell the signals apart"],
  [{ path: "" }, "path", "is empty"],
  [{ path: "out", max_bytes: 1000 }, "max_bytes", "is too small, at least 1048576 is needed"],
])("a setting that cannot be: %o", async (file, name, words) => {
  const [problem] = await problems({ yaml: JSON.stringify({ outputs: { file } }) });
  expect(problem).toContain(`outputs.file.${name}: `);
  expect(problem).toContain(words);
});
