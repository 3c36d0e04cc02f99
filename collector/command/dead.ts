// `sonde dead`: the records that an output could not deliver. While the collector runs it is asked, and
// it alone changes the files; otherwise they are read, or changed under its lock.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import type { Config } from "../config/schema.ts";
import { suggestion } from "../config/spelling.ts";
import type { Resent } from "../output/resend.ts";
import { findCollector } from "../presence.ts";
import type { DeadList, DeadShown, DeadSummary, Dropped, ShownLetter } from "../query/dead.ts";
import { printable } from "../wire/printable.ts";
import { type Answer, ask } from "./ask.ts";
import { failed, parse, type Result, settings, UsageError } from "./command.ts";
import { clean, count, counted, json, readable, size, table, time } from "./terminal.ts";

export const usage = `sonde dead: records that an output could not deliver

  sonde dead [list]           the outputs that have any, how many, and why
  sonde dead show [OUTPUT]    the newest letters, each with its record
  sonde dead resend [OUTPUT]  send them to the output again; what it takes is gone from here
  sonde dead drop [OUTPUT]    throw them away

  --id ID        only this letter; may be given several times
  --limit N      show: so many of each output, 1 to 1000 (20)
  --full         show: whole records, however long
  --yes          drop: without asking
  --config FILE  the settings file
  --json         for scripts

  Without OUTPUT, all outputs are meant. resend needs the collector to be running.
  Exit status: 0 done; 1 no such output or letter, or something was not taken; 2 wrong call or settings.
`;

const actions = ["list", "show", "resend", "drop"] as const;
type Action = (typeof actions)[number];

interface Call {
  readonly config: Config;
  readonly output: string | undefined;
  readonly ids: readonly string[];
  readonly limit: number;
  readonly isFull: boolean;
  readonly isJson: boolean;
  readonly isSure: boolean;
}

export async function run(args: readonly string[]): Promise<Result> {
  const { values, positionals } = parse(args, {
    id: { type: "string", multiple: true },
    limit: { type: "string" },
    full: { type: "boolean" },
    yes: { type: "boolean" },
  });
  if (values.help) return { exitCode: 0, stdout: usage };
  const [action = "list", output, extra] = positionals;
  if (!isAction(action)) {
    throw new UsageError(`no such action "${action}" but ${actions.join(", ")}`);
  }
  if (extra !== undefined) throw new UsageError(`"${extra}" is too much`);
  const limit = Number(values.limit ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new UsageError(`--limit ${values.limit} is not 1 to 1000`);
  }
  const call: Call = {
    config: await settings(values.config),
    output,
    ids: (values.id ?? []).flatMap((ids) => ids.split(",")).filter((id) => id !== ""),
    limit,
    isFull: values.full ?? false,
    isJson: values.json ?? false,
    isSure: values.yes ?? false,
  };
  try {
    return await perform(action, call);
  } catch (error) {
    if (error instanceof Refused) return failed(error.message);
    throw error;
  }
}

function isAction(name: string): name is Action {
  return actions.some((action) => action === name);
}

/** The collector does not do it, or there is nothing to do it with. */
class Refused extends Error {
  override readonly name = "Refused";
}

async function perform(action: Action, call: Call): Promise<Result> {
  const { list, note } = await listOf(call.config);
  const outputs = await chosen(list, call);
  if (action === "list") return listed(outputs, { list, note }, call);
  if (outputs.length === 0) {
    return { exitCode: 0, stdout: call.isJson ? json([]) : "no dead letters\n", stderr: note };
  }
  if (action === "show") return await show(outputs, note, call);
  if (action === "drop") return await drop(outputs, note, call);
  return await resend(outputs, note, call);
}

// ── list ─────────────────────────────────────────────────────────────────────────────────────────

async function listOf(config: Config): Promise<{ list: DeadList; note: string }> {
  const answer = answered(await ask(config, { method: "GET", path: "/api/dead" }));
  if (answer) return { list: answer.body as DeadList, note: answer.note }; // what the API says it is
  const { listDead } = await import("../query/dead.ts");
  return { list: await listDead(config.dataDir), note: "" };
}

function answered(answer: Answer): { readonly body: unknown; readonly note: string } | undefined {
  if (answer.kind === "nobody") return undefined;
  if (answer.kind === "refused") throw new Refused(answer.error);
  return { body: answer.body, note: answer.note === "" ? "" : `sonde: ${answer.note}\n` };
}

async function chosen(
  { outputs }: DeadList,
  { output, config }: Call,
): Promise<readonly DeadSummary[]> {
  if (output === undefined) return outputs;
  const found = outputs.filter((summary) => summary.output === output);
  // It may have been started with other settings than this command.
  const running = await findCollector(config.dataDir);
  const configured = [...config.outputs.map(({ name }) => name), ...(running?.outputs ?? [])];
  if (found.length > 0 || configured.includes(output)) return found;
  const known = [...configured, ...outputs.map((summary) => summary.output)];
  throw new Refused(`there is no output "${clean(output)}"${suggestion(output, known)}`);
}

function listed(
  outputs: readonly DeadSummary[],
  { list, note }: { list: DeadList; note: string },
  { isJson }: Call,
): Result {
  const stderr = note;
  if (isJson) return { exitCode: 0, stdout: json({ ...list, outputs }), stderr };
  if (outputs.length === 0) return { exitCode: 0, stdout: "no dead letters\n", stderr };
  const rows = outputs.map(({ output, letters, items, bytes, reasons, oldest, newest }) => [
    output,
    count(letters),
    count(items),
    size(bytes),
    oldest === undefined ? "-" : time(oldest),
    newest === undefined ? "-" : time(newest),
    reasons.map((each) => `${each.reason} ${count(each.letters)}`).join(", "),
  ]);
  const columns = [
    { title: "output" },
    { title: "letters", isRight: true },
    { title: "items", isRight: true },
    { title: "size", isRight: true },
    { title: "oldest" },
    { title: "newest" },
    { title: "reasons" },
  ];
  const unreadable = outputs.map(({ output, unreadable }) => noteOfUnreadable(output, unreadable));
  return { exitCode: 0, stdout: table(columns, rows) + unreadable.join(""), stderr };
}

function noteOfUnreadable(output: string, lines: number): string {
  if (lines === 0) return "";
  return `${output}: ${counted(lines, "line")} that cannot be read ${lines === 1 ? "stays" : "stay"} in the file\n`;
}

// ── show ─────────────────────────────────────────────────────────────────────────────────────────

async function show(outputs: readonly DeadSummary[], note: string, call: Call): Promise<Result> {
  const shown: DeadShown[] = [];
  for (const { output } of outputs) shown.push(await showOne(output, call));
  const isFound = call.ids.length === 0 || shown.some(({ letters }) => letters.length > 0);
  if (call.isJson) return { exitCode: isFound ? 0 : 1, stdout: json(shown), stderr: note };
  if (!isFound) return failed(`no dead letter has the id ${call.ids.join(" or ")}`);
  const blocks: string[] = [];
  for (const { output, letters, total, unreadable } of shown) {
    if (letters.length < total) {
      blocks.push(`${output}: the newest ${count(letters.length)} of ${count(total)} letters\n`);
    }
    for (const letter of letters) blocks.push(blockOf(output, letter, call.isFull));
    if (unreadable > 0) blocks.push(noteOfUnreadable(output, unreadable));
  }
  return { exitCode: 0, stdout: blocks.join("\n"), stderr: note };
}

async function showOne(output: string, { config, ids, limit, isFull }: Call): Promise<DeadShown> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const id of ids) query.append("id", id);
  if (isFull) query.set("full", "1");
  const path = `/api/dead/${output}?${query.toString()}`;
  const answer = answered(await ask(config, { method: "GET", path }));
  if (answer) return answer.body as DeadShown; // what the API says it is
  const { showDead } = await import("../query/dead.ts");
  const wanted = ids.length === 0 ? undefined : new Set(ids);
  return await showDead(config.dataDir, output, { limit, ids: wanted, isFull });
}

const mostLines = 40;

function blockOf(output: string, letter: ShownLetter, isFull: boolean): string {
  const { id, at, signal, reason, detail, position, index, items, among, attempts } = letter;
  const place =
    index === undefined ? `position ${position}` : `position ${position}, record ${index}`;
  const what =
    among === undefined ? counted(items, "item") : `${items} of ${counted(among, "item")}`;
  const tries = attempts > 1 ? `, refused ${attempts} times` : "";
  const head =
    `${id}  ${time(at)}  ${output}  ${signal}  ${what}, ${size(letter.bytes)}, ${place}${tries}\n` +
    `  ${clean(reason)}: ${clean(detail) || "(no words)"}\n`;
  if (letter.record === undefined) return `${head}  (its record is long; --full shows it)\n`;
  const lines = readable(letter.record).split("\n");
  const cut = isFull ? lines : lines.slice(0, mostLines);
  const rest = lines.length - cut.length;
  const more = rest > 0 ? `  … ${counted(rest, "more line")}; --full shows all\n` : "";
  return `${head}${cut.map((line) => `  ${isFull ? printable(line) : clean(line)}\n`).join("")}${more}`;
}

// ── resend and drop ──────────────────────────────────────────────────────────────────────────────

type Changed<Outcome> = Outcome & { readonly output: string };

async function change<Outcome>(
  action: "resend" | "drop",
  output: string,
  { config, ids }: Call,
): Promise<Outcome | undefined> {
  const body = ids.length === 0 ? {} : { ids };
  const path = `/api/dead/${output}/${action}`;
  const answer = await ask(config, { method: "POST", path, body });
  if (answer.kind === "nobody" && answer.pid !== undefined) {
    throw new Refused(`the collector (process ${answer.pid}) cannot be asked: its web_port is off`);
  }
  return answered(answer)?.body as Outcome | undefined; // what the API says it is
}

async function resend(outputs: readonly DeadSummary[], note: string, call: Call): Promise<Result> {
  const results: Changed<Resent>[] = [];
  for (const { output } of outputs) {
    const result = await change<Resent>("resend", output, call);
    if (!result) throw new Refused("the collector does not run, and it is what sends; start it");
    results.push({ output, ...result });
  }
  const isFound = results.some(
    ({ accepted, refused, stopped }) => accepted + refused > 0 || stopped,
  );
  const isDone = results.every(({ refused, stopped }) => refused === 0 && !stopped);
  const exitCode = isFound && isDone ? 0 : 1;
  if (call.isJson) return { exitCode, stdout: json(results), stderr: note };
  if (!isFound && call.ids.length > 0) {
    return failed(`no dead letter has the id ${call.ids.join(" or ")}`);
  }
  const lines = results.map((result) => {
    const { output, accepted, acceptedItems, refused, stopped } = result;
    const taken = `${counted(accepted, "letter")} taken (${counted(acceptedItems, "item")})`;
    const again = refused > 0 ? `, ${count(refused)} refused again` : "";
    const left = result.left > 0 && !stopped ? `, ${count(result.left)} not sent` : "";
    const why = stopped ? `; stopped: ${clean(`${stopped.reason}: ${stopped.detail}`)}` : "";
    return `${output}: ${taken}${again}${left}${why}\n${noteOfUnreadable(output, result.unreadable)}`;
  });
  return { exitCode, stdout: lines.join(""), stderr: note };
}

async function drop(outputs: readonly DeadSummary[], note: string, call: Call): Promise<Result> {
  if (!call.isSure && !(await isConfirmed(outputs, note, call))) {
    return failed("nothing was dropped; --yes drops without asking");
  }
  const results: Changed<Dropped>[] = [];
  for (const { output } of outputs) {
    const asked = await change<Dropped>("drop", output, call);
    results.push({ output, ...(asked ?? (await dropAlone(output, call))) });
  }
  const isFound = results.some(({ dropped }) => dropped > 0);
  const exitCode = isFound ? 0 : 1;
  if (call.isJson) return { exitCode, stdout: json(results), stderr: note };
  if (!isFound && call.ids.length > 0) {
    return failed(`no dead letter has the id ${call.ids.join(" or ")}`);
  }
  const lines = results.map(
    ({ output, dropped, items, unreadable }) =>
      `${output}: ${counted(dropped, "letter")} dropped (${counted(items, "item")})\n` +
      noteOfUnreadable(output, unreadable),
  );
  return { exitCode, stdout: lines.join(""), stderr: note };
}

async function isConfirmed(
  outputs: readonly DeadSummary[],
  note: string,
  { ids }: Call,
): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const all = outputs.map(({ output, letters }) => `${counted(letters, "letter")} of ${output}`);
  const what = ids.length > 0 ? counted(ids.length, "letter") : all.join(", ");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${note}Drop ${what}? They are gone then. [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** Without a collector; one that starts meanwhile finds the folder in use. */
async function dropAlone(output: string, { config, ids }: Call): Promise<Dropped> {
  const { lockFolder } = await import("../log/folder-lock.ts");
  const { deadFile, dropDeadAt } = await import("../query/dead.ts");
  const path = deadFile(config.dataDir, output);
  if (path === undefined) throw new Refused(`there is no output "${clean(output)}"`);
  const folder = join(config.dataDir, "log");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder).catch((error: Error) => {
    throw new Refused(error.message);
  });
  try {
    return await dropDeadAt(path, ids.length === 0 ? undefined : new Set(ids));
  } finally {
    await lock.release();
  }
}
