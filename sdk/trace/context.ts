// What is active: contexts and the manager that carries them along, on Node's AsyncLocalStorage.
//
// A context is asked for its span all the time and for little else, so the span has a field of its own and
// a context with another span is one small object. OpenTelemetry's copies a Map and makes three closures.

import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import type { Context, ContextManagementToken, ContextManager } from "@opentelemetry/api";
import { load } from "../packages.ts";

/** The keys of every copy of the API: it makes its keys with Symbol.for. */
const spanKey = Symbol.for("OpenTelemetry Context Key SPAN");
const suppressKey = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

class OwnContext implements Context {
  readonly span: unknown;
  readonly #others: ReadonlyMap<symbol, unknown> | undefined;

  constructor(span: unknown, others: ReadonlyMap<symbol, unknown> | undefined) {
    this.span = span;
    this.#others = others;
  }

  getValue(key: symbol): unknown {
    return key === spanKey ? this.span : this.#others?.get(key);
  }

  setValue(key: symbol, value: unknown): Context {
    if (key === spanKey) return new OwnContext(value, this.#others);
    return new OwnContext(this.span, new Map(this.#others).set(key, value));
  }

  deleteValue(key: symbol): Context {
    if (key === spanKey) return new OwnContext(undefined, this.#others);
    const others = new Map(this.#others);
    others.delete(key);
    return new OwnContext(this.span, others.size > 0 ? others : undefined);
  }
}

export const rootContext: Context = new OwnContext(undefined, undefined);

/** The span in a context of whichever kind; undefined where a foreign one is broken. */
export function spanIn(context: Context): unknown {
  try {
    return context instanceof OwnContext ? context.span : context.getValue(spanKey);
  } catch {
    return undefined;
  }
}

export function withSpan(context: Context, span: unknown): Context {
  try {
    return context.setValue(spanKey, span);
  } catch {
    return rootContext.setValue(spanKey, span);
  }
}

/** Asked for by whoever works for telemetry itself: what happens there is not traced. */
export function isSuppressed(context: Context): boolean {
  try {
    return context.getValue(suppressKey) === true;
  } catch {
    return false;
  }
}

export function suppressed(context: Context): Context {
  return context.setValue(suppressKey, true);
}

/** What is no context would throw at whoever asks for what is active. */
function usable(context: Context): Context {
  try {
    if (context instanceof OwnContext) return context;
    return typeof context.getValue === "function" ? context : rootContext;
  } catch {
    return rootContext;
  }
}

function isEmitter(target: unknown): target is EventEmitter {
  try {
    return target instanceof EventEmitter;
  } catch {
    return false; // a Proxy
  }
}

export type Contexts = Pick<ContextManager, "active" | "with">;

let inUse: Contexts | undefined;

/** Said once, before anything is instrumented. */
export function useContexts(contexts: Contexts): void {
  inUse = contexts;
}

/** The API's, without the way through it: the API looks for its manager anew each time. */
export function contextsInUse(): Contexts {
  return (inUse ??= load("@opentelemetry/api").context);
}

export class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  /** Emitters that are bound already; the first context stays, as with OpenTelemetry's. */
  readonly #bound = new WeakSet<EventEmitter>();
  readonly #root: Context;

  /** What is active where nothing else is: in a program that another has started, what that one was at. */
  constructor(root = rootContext) {
    this.#root = root;
  }

  active(): Context {
    return this.#storage.getStore() ?? this.#root;
  }

  with<Args extends unknown[], Call extends (...args: Args) => ReturnType<Call>>(
    context: Context,
    call: Call,
    thisArg?: ThisParameterType<Call>,
    ...args: Args
  ): ReturnType<Call> {
    // What is no function is not called, rather than thrown at the app.
    if (typeof call !== "function") return undefined as ReturnType<Call>;
    const active = usable(context);
    if (thisArg === undefined || thisArg === null) return this.#storage.run(active, call, ...args);
    return this.#storage.run(active, Reflect.apply, call, thisArg, args) as ReturnType<Call>;
  }

  bind<Target>(context: Context, target: Target): Target {
    const active = usable(context);
    if (typeof target === "function") return this.#bindFunction(active, target) as Target;
    if (isEmitter(target)) this.#bindEmitter(active, target);
    return target;
  }

  /**
   * Runs work in the context that was active where this was called, with nothing of what is active where
   * it is called later, the app's own storages included, and without tracing.
   */
  outside(): <Result>(work: () => Result) => Result {
    return this.#storage.run(suppressed(rootContext), () => AsyncLocalStorage.snapshot());
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }

  attach(context: Context): ContextManagementToken {
    const previous = this.#storage.getStore();
    let isAttached = true;
    this.#storage.enterWith(usable(context));
    return {
      dispose: () => {
        if (isAttached) this.#storage.enterWith(previous ?? this.#root);
        isAttached = false;
      },
    };
  }

  // oxlint-disable-next-line typescript/no-unsafe-function-type -- any function of the app's
  #bindFunction(context: Context, target: Function): Function {
    const storage = this.#storage;
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return storage.run(context, Reflect.apply, target as () => unknown, this, args);
    };
    try {
      Object.defineProperty(bound, "length", { value: target.length, configurable: true });
      Object.defineProperty(bound, "name", { value: target.name, configurable: true });
    } catch {
      // A function behind a Proxy that keeps these to itself.
    }
    return bound;
  }

  /** Of all an emitter has only `emit` changes, so adding and removing listeners stays Node's. */
  #bindEmitter(context: Context, emitter: EventEmitter): void {
    if (this.#bound.has(emitter)) return;
    const storage = this.#storage;
    try {
      // oxlint-disable-next-line typescript/unbound-method -- it is called on its emitter below
      const { emit } = emitter;
      Object.defineProperty(emitter, "emit", {
        value: function (this: EventEmitter, ...args: unknown[]): boolean {
          return storage.run(context, Reflect.apply, emit, this, args) as boolean;
        },
        writable: true,
        enumerable: false,
        configurable: true,
      });
      this.#bound.add(emitter);
    } catch {
      // A frozen one cannot be bound.
    }
  }
}
