// The JSON API on the web port: what commands, and later the page, ask of the collector while it runs.
//
//   GET  /api/dead                    the outputs that have dead letters         → DeadList
//   GET  /api/dead/<output>           ?limit=20&id=…&full=1                      → DeadShown
//   POST /api/dead/<output>/resend    { "ids": […] }, all of them without ids    → Resent
//   POST /api/dead/<output>/drop      the same                                   → Dropped
//   GET  /api/where/<trace id>        what became of a trace at each output      → TraceReport
//
// What goes wrong is answered as { "error": "…" }.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Entry, Reader } from "../log/log.ts";
import type { Line } from "../output/books.ts";
import type { Resender } from "../output/resend.ts";
import type { Step } from "../step/step.ts";
import type { Signal } from "../wire/batch.ts";
import { deadFile, dropDead, dropDeadAt, listDead, outputsWithLetters, showDead } from "./dead.ts";
import { refusal } from "./guard.ts";
import { parseTraceId } from "./trace-search.ts";
import { where } from "./where.ts";

export interface ApiSources {
  readonly dataDir: string;
  /** The setting: by this name, too, we may be asked. */
  readonly host: string;
  readonly outputs: readonly ApiOutput[];
  /** What the log still has, oldest first. */
  readonly held: () => AsyncIterable<Entry>;
}

export interface ApiOutput {
  readonly feed: {
    readonly name: string;
    readonly reader: Reader;
    readonly books: { readonly lines: Iterable<Line> };
    readonly failure: { readonly reason: string; readonly detail: string } | undefined;
  };
  readonly wants: readonly Signal[];
  readonly steps?: readonly Step[];
  readonly resender: Resender;
}

/** Searches read the whole log; they take turns, and more than these are not let in. */
const mostSearches = 4;
const longestBodyBytes = 1 << 20;

export class Api {
  readonly #sources: ApiSources;
  #searches = 0;
  #searching: Promise<unknown> = Promise.resolve();

  constructor(sources: ApiSources) {
    this.#sources = sources;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const { status, body } = await this.#answer(request, gone.signal).catch((error: unknown) =>
      problem(500, error instanceof Error ? error.message : String(error)),
    );
    if (gone.signal.aborted) return;
    const text = `${JSON.stringify(body)}\n`;
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-sonde-data-dir": encodeURI(this.#sources.dataDir),
      // What is left of a body that was not read must not be taken for the next request.
      ...(request.complete ? {} : { connection: "close" }),
    });
    response.end(request.method === "HEAD" ? undefined : text);
  }

  async #answer(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const { headers, method = "" } = request;
    const refused = refusal({ method, headers }, this.#sources.host);
    if (refused) return problem(refused.status, refused.error);
    const url = URL.parse(request.url ?? "", "http://localhost");
    const path = url?.pathname.split("/").slice(2) ?? [];
    const [topic, subject = "", action] = path;
    const isRead = method === "GET" || method === "HEAD";
    if (topic === "where" && path.length === 2) {
      return isRead ? await this.#where(subject, signal) : wrongMethod("GET");
    }
    if (topic === "dead" && path.length <= 2) {
      if (!isRead) return wrongMethod("GET");
      const query = url?.searchParams ?? new URLSearchParams();
      return await this.#search(() => this.#look(subject, query));
    }
    if (topic === "dead" && path.length === 3 && (action === "resend" || action === "drop")) {
      return method === "POST"
        ? await this.#change(request, { output: subject, action, signal })
        : wrongMethod("POST");
    }
    return problem(404, "here are /api/dead and /api/where");
  }

  async #where(text: string, signal: AbortSignal): Promise<Answer> {
    const traceId = parseTraceId(text);
    if (!traceId) return problem(400, "a trace id has 32 hexadecimal digits");
    const { dataDir, held } = this.#sources;
    return await this.#search(async () => {
      signal.throwIfAborted();
      const outputs = this.#sources.outputs.map(({ feed, wants, steps }) => ({
        name: feed.name,
        position: feed.reader.committedUpTo,
        books: feed.books.lines,
        deadLetters: deadFile(dataDir, feed.name) ?? "",
        wants,
        steps,
        failure: feed.failure,
      }));
      return ok(await where(traceId, { held, outputs, signal }));
    });
  }

  async #look(output: string, query: URLSearchParams): Promise<Answer> {
    const { dataDir } = this.#sources;
    if (output === "") return ok(await listDead(dataDir));
    if (!(await this.#isKnown(output))) return unknownOutput(output);
    const limit = Number(query.get("limit") ?? 20);
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      return problem(400, "limit must be 1 to 1000");
    }
    const ids = query.has("id") ? new Set(query.getAll("id")) : undefined;
    const isFull = query.get("full") === "1";
    return ok(await showDead(dataDir, output, { limit, ids, isFull }));
  }

  async #change(
    request: IncomingMessage,
    asked: { output: string; action: "resend" | "drop"; signal: AbortSignal },
  ): Promise<Answer> {
    const { output, action, signal } = asked;
    const wanted = await readIds(request);
    if ("status" in wanted) return wanted;
    const { ids } = wanted;
    const resender = this.#resender(output);
    if (resender?.isRunning) {
      return problem(409, `dead letters of ${output} are being sent again at the moment`);
    }
    if (action === "resend") {
      if (resender) return ok(await resender.resend({ ids, signal }));
      if (!(await this.#isKnown(output))) return unknownOutput(output);
      return problem(404, `no output ${output} is configured that they could be sent to`);
    }
    if (resender) return ok(await dropDead(resender.deadLetters, ids));
    const path = deadFile(this.#sources.dataDir, output);
    if (path === undefined || !(await this.#isKnown(output))) return unknownOutput(output);
    return ok(await dropDeadAt(path, ids));
  }

  #resender(output: string): Resender | undefined {
    return this.#sources.outputs.find(({ feed }) => feed.name === output)?.resender;
  }

  async #isKnown(output: string): Promise<boolean> {
    if (this.#resender(output)) return true;
    return (await outputsWithLetters(this.#sources.dataDir)).includes(output);
  }

  async #search(work: () => Promise<Answer>): Promise<Answer> {
    if (this.#searches >= mostSearches) return problem(503, "busy with other searches");
    this.#searches++;
    const done = this.#searching.then(work).finally(() => this.#searches--);
    this.#searching = done.catch(() => {});
    return await done;
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const ok = (body: unknown): Answer => ({ status: 200, body });
const problem = (status: number, error: string): Answer => ({ status, body: { error } });
const wrongMethod = (right: string): Answer => problem(405, `${right} is taken here`);
const unknownOutput = (output: string): Answer =>
  problem(404, `there is no output ${JSON.stringify(output)}`);

async function readIds(
  request: IncomingMessage,
): Promise<{ readonly ids: ReadonlySet<string> | undefined } | Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Destroyed, the request would take the connection with it, and the answer.
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > longestBodyBytes) return problem(413, `more than ${longestBodyBytes} bytes`);
  }
  const wrong = problem(400, 'the body must be {} or { "ids": ["…"] }');
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body !== "object" || body === null || Array.isArray(body)) return wrong;
    const { ids, ...others } = body as { readonly ids?: unknown };
    if (Object.keys(others).length > 0) return wrong;
    if (ids === undefined) return { ids: undefined };
    const isList = Array.isArray(ids) && ids.every((id) => typeof id === "string");
    return isList ? { ids: new Set<string>(ids) } : wrong;
  } catch {
    return wrong;
  }
}
