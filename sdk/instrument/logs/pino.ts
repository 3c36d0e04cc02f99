// What pino logs as log records, taken where pino makes the line, of which there is one for any number of streams,
// transports and children. The line itself is read back only where the app's own formatters or serializers
// had a part in it; what pino redacts is redacted in both.

import type { Logger, LogRecord } from "@opentelemetry/api";
import { load } from "../../packages.ts";
import type { Settings } from "../../settings.ts";
import { isTracingOff } from "./console.ts";
import { activeIds, addIds, dropIds, type Ids } from "./ids.ts";
import { detailsOf, type Fields, severityOfLevel, thrownOf } from "./record.ts";

type Stringify = (value: unknown, safe?: unknown) => string | undefined;
type AsJson = (
  this: PinoLogger,
  ...call: [fields: Fields | undefined, message: unknown, level: number, time: string]
) => string;

interface PinoLogger {
  readonly levels?: { readonly labels?: Readonly<Record<number, string>> };
  [symbol: symbol]: unknown;
}

const symbolNames = [
  "chindingsSym",
  "endSym",
  "errorKeySym",
  "formattersSym",
  "messageKeySym",
  "nestedKeySym",
  "serializersSym",
  "streamSym",
  "stringifiersSym",
  "stringifySafeSym",
  "stringifySym",
  "wildcardFirstSym",
] as const;
type Symbols = Readonly<Record<(typeof symbolNames)[number], symbol>>;

interface Pino {
  (options: object, stream: { write(): void }): PinoLogger;
  readonly symbols?: Readonly<Partial<Symbols & { asJsonSym: symbol }>>;
  readonly stdSerializers?: Readonly<Record<string, unknown>>;
}

const bridged = new WeakSet();

export function bridgePino(exports: unknown, settings: Settings): void {
  const pino = exports as Pino;
  const asJsonSymbol = pino.symbols?.asJsonSym;
  if (typeof pino !== "function" || asJsonSymbol === undefined || bridged.has(pino)) return;
  bridged.add(pino);
  // All loggers of this copy of pino have one prototype, which only a logger shows.
  let prototype: PinoLogger | null = pino({ level: "silent" }, { write() {} });
  while (prototype && !Object.hasOwn(prototype, asJsonSymbol)) {
    prototype = Object.getPrototypeOf(prototype) as PinoLogger | null;
  }
  if (!prototype) return;
  const original = prototype[asJsonSymbol] as AsJson;
  const bridge = new Bridge(pino, load("@opentelemetry/api").logs.getLogger("sonde/pino"));
  prototype[asJsonSymbol] = function (this: PinoLogger, ...call) {
    const line = original.apply(this, call);
    try {
      const [fields, message, level] = call;
      if (isTracingOff()) return line;
      const ids = activeIds();
      bridge.emit(this, { fields, message, level, line, ids });
      return ids && settings.logIds ? addIds(line, ids, bridge.endOf(this)) : line;
    } catch {
      return line; // a field that cannot be read is the app's affair
    }
  } satisfies AsJson;
}

interface Call {
  readonly fields: Fields | undefined;
  readonly message: unknown;
  readonly level: number;
  readonly line: string;
  readonly ids: Ids | undefined;
}

/** Of so many children the bindings are remembered; each is parsed once. */
const mostBindings = 1000;

class Bridge {
  readonly #logger: Logger;
  /** Each is named where it is used: a property that is looked up by any of them takes V8 ten times as long. */
  readonly #symbols: Symbols;
  readonly #errorSerializer: unknown;
  /** Undefined where there is nothing but where it runs, as with most loggers. */
  readonly #bindings = new Map<string, Fields | undefined>();

  constructor({ symbols = {}, stdSerializers }: Pino, logger: Logger) {
    this.#logger = logger;
    // Under one that this version does not have nothing is found.
    const all = symbolNames.map((name) => [name, symbols[name] ?? Symbol(name)]);
    this.#symbols = Object.fromEntries(all) as Symbols; // all of its names
    this.#errorSerializer = stdSerializers?.["err"];
  }

  endOf(logger: PinoLogger): string {
    return textOf(logger[this.#symbols.endSym]) ?? "}\n";
  }

  emit(logger: PinoLogger, call: Call): void {
    if (!this.#logger.enabled() || this.#hasOwnTransport(logger)) return;
    const { fields = {}, level } = call;
    const record: LogRecord = {
      severityNumber: severityOfLevel(level),
      severityText: logger.levels?.labels?.[level] ?? "",
    };
    const { body, attributes, exception } = this.#isPlain(logger, fields)
      ? this.#read(logger, call)
      : this.#parse(logger, call.line);
    dropIds(attributes, call.ids);
    if (body !== undefined) record.body = body;
    if (exception !== undefined) record.exception = exception;
    record.attributes = attributes;
    this.#logger.emit(record);
  }

  /** A transport in a thread of its own that sends to OpenTelemetry itself. */
  #hasOwnTransport(logger: PinoLogger): boolean {
    const stream = logger[this.#symbols.streamSym] as
      | { worker?: { threadName?: string } }
      | undefined;
    return stream?.worker?.threadName?.includes("opentelemetry") === true;
  }

  /** Nothing of the app's own takes part in how the fields are written. */
  #isPlain(logger: PinoLogger, fields: Fields): boolean {
    const { formattersSym, serializersSym } = this.#symbols;
    const formatters = logger[formattersSym] as { log?: unknown } | undefined;
    if (formatters?.log) return false;
    const serializers = (logger[serializersSym] ?? {}) as Fields;
    if (serializers["err"] !== this.#errorSerializer) return false;
    if (serializers[this.#messageKey(logger)]) return false;
    for (const key in fields) {
      if (key !== "err" && serializers[key] && Object.hasOwn(fields, key)) return false;
    }
    return true;
  }

  #messageKey(logger: PinoLogger): string {
    return textOf(logger[this.#symbols.messageKeySym]) ?? "msg";
  }

  #errorKey(logger: PinoLogger): string {
    return textOf(logger[this.#symbols.errorKeySym]) ?? "err";
  }

  #read(logger: PinoLogger, { fields = {}, message }: Call): Parts {
    const symbols = this.#symbols;
    const stringifiers = (logger[symbols.stringifiersSym] ?? {}) as Record<PropertyKey, Stringify>;
    const wildcard = stringifiers[symbols.wildcardFirstSym];
    const stringify = logger[symbols.stringifySym] as Stringify;
    const own: Fields = {};
    const errorKey = this.#errorKey(logger);
    const serialize = this.#errorSerializer as ((error: unknown) => unknown) | undefined;
    for (const key in fields) {
      if (!Object.hasOwn(fields, key) || key === "__proto__") continue;
      let value = fields[key];
      if ((key === errorKey || key === "err") && serialize) value = serialize(value);
      const stringifier = stringifiers[key] ?? wildcard;
      if (stringifier || (typeof value === "object" && value !== null)) {
        const text = (stringifier ?? stringify)(value, logger[symbols.stringifySafeSym]);
        value = text === undefined ? undefined : JSON.parse(text);
      }
      if (value === undefined || typeof value === "function") continue;
      if (typeof value === "bigint" || typeof value === "symbol") value = String(value);
      own[key] = value;
    }
    const nested = textOf(logger[symbols.nestedKeySym]);
    const under = nested !== undefined && Object.keys(own).length > 0 ? { [nested]: own } : own;
    const bindings = this.#bindingsOf(logger);
    const all: Fields = bindings === undefined ? under : { ...bindings, ...under };
    const stringifier = stringifiers[this.#messageKey(logger)] ?? wildcard;
    const isChanged = stringifier !== undefined && message !== undefined;
    const body: unknown = isChanged ? JSON.parse(stringifier(message) ?? "null") : message;
    return this.#part(logger, all, body);
  }

  /** `,"pid":1,"part":"items"`, as the logger and its parents have it; without where it runs. */
  #bindingsOf(logger: PinoLogger): Fields | undefined {
    const text = logger[this.#symbols.chindingsSym];
    if (typeof text !== "string" || text === "") return undefined;
    if (this.#bindings.has(text)) return this.#bindings.get(text);
    const all = JSON.parse(`{${text.slice(1)}}`) as Fields; // pino has written it
    const { pid: _, hostname: _1, ...others } = all;
    const bindings = Object.keys(others).length > 0 ? others : undefined;
    if (this.#bindings.size >= mostBindings) this.#bindings.clear();
    this.#bindings.set(text, bindings);
    return bindings;
  }

  #parse(logger: PinoLogger, line: string): Parts {
    const { level: _, time: _1, ...all } = JSON.parse(line) as Fields; // pino has written it
    return this.#part(logger, all);
  }

  /** Without a message it is among the fields. */
  #part(logger: PinoLogger, all: Fields, message?: unknown): Parts {
    const errorKey = this.#errorKey(logger);
    const messageKey = this.#messageKey(logger);
    let attributes = all;
    let body = message;
    const isAll = Object.hasOwn(all, messageKey) || Object.hasOwn(all, "pid");
    if (isAll || Object.hasOwn(all, "hostname")) {
      // The resource says where it runs. To leave names out costs more than all the rest here.
      const { [messageKey]: text, pid: _, hostname: _1, ...others } = all;
      attributes = others;
      if (body === undefined) body = text;
    }
    const nestedKey = textOf(logger[this.#symbols.nestedKeySym]);
    const nested = nestedKey === undefined ? undefined : attributes[nestedKey];
    const holder = (nested ?? attributes) as Fields; // pino puts an object there
    const error = holder[errorKey];
    const exception = thrownOf(error);
    if (exception) {
      delete holder[errorKey];
      const details = detailsOf(error);
      if (details) holder[errorKey] = details;
    }
    return { body, attributes, exception };
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

interface Parts {
  readonly body: unknown;
  readonly attributes: Fields;
  readonly exception: object | undefined;
}
