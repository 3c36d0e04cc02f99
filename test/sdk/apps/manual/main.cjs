// Calls everything that the API has for spans, contexts, baggage and log records, as few apps would. Each
// case has a span or a record of its own name; what a call returns or does becomes an attribute.
const api = require("@opentelemetry/api");
const {
  context,
  createTraceState,
  propagation,
  ROOT_CONTEXT,
  logs,
  SeverityNumber,
  SpanKind,
  SpanStatusCode,
  trace,
} = api;
const { suppressTracing } = require("@opentelemetry/core");
const { createHash } = require("node:crypto");
const { EventEmitter } = require("node:events");

const tracer = trace.getTracer("manual", "1.2.3", { schemaUrl: "https://example.com/schema" });
const remote = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

/** Guarded: OpenTelemetry's engine throws at some. */
function span(name, use, options, parent) {
  const started = tracer.startSpan(name, options, parent);
  try {
    use(started);
  } catch (error) {
    started.setAttribute("threw", error.message);
  }
  started.end();
  return started;
}

function emit(record, logger = scoped()) {
  try {
    logger.emit(record);
  } catch (error) {
    logger.emit({ ...record, exception: undefined, body: `threw ${error.message}` });
  }
}

function scoped() {
  return logs.getLogger("manual", "4.5.6", { attributes: { part: "records" } });
}

function hostile() {
  const object = { before: 1 };
  Object.defineProperty(object, "bad", {
    enumerable: true,
    get() {
      throw new Error("as asked");
    },
  });
  object.after = 2;
  return object;
}

const circle = { name: "circle" };
circle.self = circle;
// oxlint-disable-next-line no-sparse-arrays
const sparse = [1, , 3];
class Money {
  amount = 5;
}

const values = {
  text: "x",
  "empty text": "",
  "text beyond ASCII": "žluťoučký 🐎",
  "lone surrogate": "a\ud800b",
  "long text": "y".repeat(300),
  integer: 42,
  negative: -7,
  "negative zero": -0,
  fraction: 1.25,
  "not a number": Number.NaN,
  infinite: Infinity,
  "largest safe": Number.MAX_SAFE_INTEGER,
  "beyond safe": 2 ** 60,
  "beyond 64 bits": 2 ** 70,
  yes: true,
  no: false,
  nothing: null,
  bigint: 12n,
  "large bigint": 2n ** 70n,
  symbol: Symbol("s"),
  function: () => {},
  date: new Date(Date.UTC(2026, 0, 2)),
  error: new RangeError("too far"),
  bytes: new Uint8Array([1, 2, 3]),
  list: ["a", "b"],
  "mixed list": ["a", 1, true, null],
  "empty list": [],
  "sparse list": sparse,
  nested: { a: { b: [1, { c: "d" }] }, skipped: undefined },
  "list of functions": [() => {}],
  circle,
  "twice the same": [["a"], ["a"]].map((_, __, [first]) => first),
  instance: new Money(),
  map: new Map([["a", 1]]),
  "without prototype": Object.assign(Object.create(null), { a: 1 }),
};

function attributes() {
  for (const [kind, value] of Object.entries(values)) {
    span(`set ${kind}`, (it) => it.setAttribute("value", value));
    span(`start with ${kind}`, () => {}, { attributes: { value } });
    span(`event with ${kind}`, (it) => it.addEvent("happened", { value }));
  }
  span("own names", (it) => it.setAttributes(JSON.parse('{"__proto__":"p","constructor":"c"}')));
  span("names", (it) => it.setAttribute("", "x").setAttribute("twice", 1).setAttribute("twice", 2));
  span("removed", (it) => it.setAttribute("a", 1).setAttribute("a", undefined));
  span("spoiled", (it) => it.setAttribute("a", 1).setAttribute("a", Symbol("s")));
  span("no attributes", (it) => it.setAttributes(undefined).setAttributes(null));
  span("hostile attributes", (it) => it.setAttributes(hostile()));
  const mutable = { list: [1] };
  span("changed later", (it) => {
    it.setAttribute("value", mutable);
    mutable.list.push(2);
  });
  span("many", (it) => {
    for (let at = 0; at < 200; at++) it.setAttribute(`a${at}`, at);
    it.setAttribute("a0", "changed");
  });
}

function spans() {
  for (const kind of Object.values(SpanKind).filter(Number.isInteger)) {
    span(`kind ${kind}`, () => {}, { kind });
  }
  const statuses = {
    error: [{ code: SpanStatusCode.ERROR, message: "bad" }],
    "error without message": [{ code: SpanStatusCode.ERROR }],
    "error with odd message": [{ code: SpanStatusCode.ERROR, message: 5 }],
    "ok with message": [{ code: SpanStatusCode.OK, message: "dropped" }],
    "ok then error": [{ code: SpanStatusCode.OK }, { code: SpanStatusCode.ERROR }],
    "error then ok": [{ code: SpanStatusCode.ERROR, message: "bad" }, { code: SpanStatusCode.OK }],
    "error then unset": [{ code: SpanStatusCode.ERROR, message: "bad" }, { code: 0 }],
  };
  for (const [name, steps] of Object.entries(statuses)) {
    span(`status ${name}`, (it) => steps.forEach((status) => it.setStatus(status)));
  }
  span("renamed before", (it) => it.updateName("renamed"));
  const ended = span("after the end", (it) => it.setAttribute("recording", it.isRecording()));
  ended.setAttribute("late", true).addEvent("late").setStatus({ code: 2 }).updateName("late");
  ended.addLink({ context: { ...remote, traceFlags: 1 } });
  ended.recordException(new Error("late"));
  ended.end();
  span("what ended is", (it) => it.setAttribute("recording", ended.isRecording()));
  const own = { a: 1 };
  span("links", (it) => it.addLinks([{ context: remote, attributes: own }, { context: remote }]), {
    links: [
      {
        context: { ...remote, traceFlags: 1, isRemote: true, traceState: createTraceState("a=1") },
        attributes: { kind: "given", nested: { a: 1 }, odd: Symbol("s") },
      },
    ],
  });
}

function exceptions() {
  const thrown = {
    error: new RangeError("too far"),
    "error with code": Object.assign(new Error("refused"), { code: "ECONNREFUSED" }),
    "numeric code": { code: 7, message: "seven" },
    text: "just text",
    nothing: undefined,
    null: null,
    "empty object": {},
    number: 5,
    "with a message": { message: "only" },
    hostile: {
      get message() {
        throw new Error("as asked");
      },
    }, // oxlint-disable-line
  };
  for (const [name, exception] of Object.entries(thrown)) {
    if (exception?.stack) exception.stack = "stack";
    span(`exception ${name}`, (it) => it.recordException(exception));
    emit({ eventName: `exception ${name}`, exception });
  }
}

function times() {
  const start = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  const timed = (name, startTime, endTime) => {
    const it = tracer.startSpan(`timed ${name}`, { startTime });
    it.addEvent("at", startTime).addEvent("with attributes at", { a: 1 }, startTime);
    it.recordException("thrown", startTime);
    it.end(endTime);
  };
  timed("milliseconds", start, start + 1.5);
  timed("dates", new Date(start), new Date(start + 20));
  timed("seconds and nanoseconds", [1_770_000_000, 123_456_789], [1_770_000_001, 5]);
  timed("end before start", start, start - 1000);
  // With these OpenTelemetry's is as odd as they are.
  const odd = { text: "now", nan: Number.NaN, empty: [], three: [1, 2, 3], invalid: new Date("x") };
  for (const [name, time] of Object.entries(odd)) {
    const it = tracer.startSpan(`odd time ${name}`);
    it.addEvent("at", undefined, time).end(time);
  }
}

function contexts() {
  const key = Symbol.for("manual");
  const base = ROOT_CONTEXT.setValue(key, "kept");
  tracer.startActiveSpan("active", (it) => {
    const results = [
      tracer.startActiveSpan("in active", (inner) => (inner.end(), "returned")),
      tracer.startActiveSpan("with options", { kind: 2 }, (inner) => (inner.end(), 1)),
      tracer.startActiveSpan("with context", {}, base, (inner) => {
        inner.end();
        return [context.active().getValue(key), trace.getActiveSpan() === inner];
      }),
      tracer.startActiveSpan("root", { root: true }, (inner) => (inner.end(), 2)),
    ];
    it.setAttribute("results", JSON.stringify(results));
    const bound = context.bind(base, function (...args) {
      return [context.active().getValue(key), this?.own, args.length];
    });
    it.setAttribute("bound", JSON.stringify([bound.call({ own: 1 }, 1, 2), bound.length]));
    const emitter = context.bind(base, new EventEmitter());
    const heard = [];
    const listener = () => heard.push(context.active().getValue(key));
    emitter.on("a", listener).once("a", listener);
    emitter.emit("a");
    emitter.off("a", listener);
    emitter.emit("a");
    it.setAttribute("heard", JSON.stringify([heard, emitter.listenerCount("a")]));
    it.setAttribute(
      "this",
      context.with(
        base,
        function () {
          return this?.own;
        },
        { own: 3 },
      ),
    ); // oxlint-disable-line
    const token = context.attach(base);
    const during = context.active().getValue(key);
    token.dispose();
    it.setAttribute("attached", [during, String(context.active().getValue(key))]);
    it.setAttribute("bind to nothing", context.bind(base, "text"));
    it.end();
  });
  context.with(suppressTracing(context.active()), () => {
    const hidden = tracer.startSpan("suppressed");
    const inner = trace.setSpan(context.active(), hidden);
    const other = tracer.startSpan("below suppressed", {}, inner);
    const both = [hidden, other].map((one) => [one.isRecording(), one.spanContext()]);
    const seen = tracer.startSpan("about suppression", {}, ROOT_CONTEXT);
    seen.setAttribute("hidden", JSON.stringify(both)).end();
  });
  tracer.startActiveSpan("with another copy of the API", (it) => {
    const copy = anotherCopy();
    const inner = copy.trace.getTracer("copy", "0.1.0").startSpan("by the other copy");
    inner.setAttribute("same", copy !== api && copy.trace.getActiveSpan() === it).end();
    it.end();
  });
  span("of a broken parent", () => {}, {}, trace.setSpanContext(ROOT_CONTEXT, { traceId: "x" }));
  const zeros = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 1 };
  span("of no parent", () => {}, {}, trace.setSpanContext(ROOT_CONTEXT, zeros));
}

/** As an app has it whose dependencies bring their own. */
function anotherCopy() {
  for (const file of Object.keys(require.cache)) {
    if (/[/\\]@opentelemetry[/\\]api[/\\]/.test(file)) delete require.cache[file];
  }
  return require("@opentelemetry/api");
}

function propagations() {
  const traceState = createTraceState("vendor=1,other=2");
  const parent = { ...remote, traceFlags: 1, isRemote: true, traceState };
  const within = trace.setSpanContext(ROOT_CONTEXT, parent);
  span("of a remote parent", () => {}, { kind: SpanKind.SERVER }, within);
  const started = tracer.startSpan("injected", {}, within);
  const headers = {};
  const baggage = propagation.createBaggage({ user: { value: "a b" }, "k%": { value: "✓" } });
  const full = propagation.setBaggage(trace.setSpan(within, started), baggage);
  propagation.inject(full, headers);
  headers.traceparent = headers.traceparent.replace(started.spanContext().spanId, "own id");
  started.setAttribute("headers", JSON.stringify(headers));
  started.setAttribute("context", Object.keys(started.spanContext()).toSorted());
  started.end();
  const incoming = {
    traceparent: `00-${remote.traceId}-${remote.spanId}-01`,
    tracestate: "a=1",
    baggage: "user=a%20b;meta,empty=",
  };
  const extracted = propagation.extract(ROOT_CONTEXT, incoming);
  const entries = propagation.getBaggage(extracted)?.getAllEntries() ?? [];
  span("extracted", (it) => it.setAttribute("baggage", JSON.stringify(entries)), {}, extracted);
  for (const traceparent of ["", "00-0-0-00", `00-${"0".repeat(32)}-${remote.spanId}-01`, "ff"]) {
    const none = propagation.extract(ROOT_CONTEXT, { traceparent });
    span(`after traceparent "${traceparent.slice(0, 10)}"`, () => {}, {}, none);
  }
}

/** Only what a sampler decides: on parents of all kinds. */
function samples() {
  for (let at = 1; at <= 64; at++) {
    const traceId = createHash("md5").update(String(at)).digest("hex");
    for (const traceFlags of [0, 1]) {
      for (const isRemote of [false, true]) {
        const parent = { traceId, spanId: remote.spanId, traceFlags, isRemote };
        const within = trace.setSpanContext(ROOT_CONTEXT, parent);
        const it = tracer.startSpan(`sampled ${at} ${traceFlags} ${isRemote}`, {}, within);
        it.setAttribute("flags", it.spanContext().traceFlags);
        const inner = tracer.startSpan("inner", {}, trace.setSpan(ROOT_CONTEXT, it));
        inner.end();
        it.end();
      }
    }
  }
}

function records() {
  for (const [kind, value] of Object.entries(values)) {
    emit({ eventName: `body ${kind}`, body: value });
    emit({ eventName: `attribute ${kind}`, attributes: { value } });
  }
  for (let number = 0; number <= 24; number++) {
    emit({
      eventName: `severity ${number}`,
      severityNumber: number,
      severityText: SeverityNumber[number],
    });
  }
  emit({
    eventName: "timed",
    timestamp: [1_770_000_000, 5],
    observedTimestamp: new Date(1_770_000_000_000),
  });
  tracer.startActiveSpan("of records", (it) => {
    emit({ eventName: "in a span", body: "x" });
    emit({ eventName: "in no span", body: "x", context: ROOT_CONTEXT });
    it.end();
  });
  const within = trace.setSpanContext(ROOT_CONTEXT, { ...remote, traceFlags: 0 });
  emit({ eventName: "in another's", context: within });
  emit({ eventName: "of nobody" }, logs.getLogger(""));
  emit({
    eventName: "both",
    exception: new Error("boo"),
    attributes: { "exception.message": "mine", "exception.stacktrace": "none" },
  });
  span("logger", (it) => it.setAttribute("enabled", scoped().enabled()));
}

/** More of everything than the settings let pass. */
function limits() {
  const four = { a: "1234567", b: ["123456789"], c: { d: "123456789" }, e: 5 };
  const context = { ...remote, traceFlags: 1 };
  span(
    "limits",
    (it) => {
      it.setAttributes({ a: "changed beyond", f: "new" });
      for (let at = 0; at < 4; at++) it.addEvent(`event ${at}`, four).addLink({ context });
      it.addLink({ context, attributes: four });
      it.recordException(Object.assign(new Error("too long a message"), { stack: "too long" }));
    },
    { attributes: four, links: [{ context, attributes: four }, { context }, { context }] },
  );
  emit({ eventName: "limits", body: "not an attribute", attributes: four });
  emit({ eventName: "exception", exception: { name: "Error", message: "too long a message" } });
}

const parts = { limits: [limits], samples: [samples] }[process.argv[2]] ?? [
  attributes,
  spans,
  exceptions,
  times,
  contexts,
  propagations,
  records,
];
for (const part of parts) part();
// One that every sampler keeps.
const traceId = "00000001000000020000000400000008";
const within = trace.setSpanContext(ROOT_CONTEXT, { ...remote, traceId, traceFlags: 1 });
tracer.startSpan("last", {}, within).end();

setInterval(() => {}, 1000);
process.stdout.write("listening on nothing\n");
