// The formats that OTEL_PROPAGATORS asks for as one propagator. Those of W3C and B3 are OpenTelemetry's own;
// the others are here. None of them can throw into the app, whatever a header holds.

import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { load, loadOwn } from "../packages.ts";
import type { PropagatorName, Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";
import { rootContext } from "../trace/context.ts";
import { TraceContextPropagator, W3CBaggagePropagator } from "./w3c.ts";

export function makePropagator({ propagators }: Pick<Settings, "propagators">): TextMapPropagator {
  return new GuardedPropagators([...new Set(propagators)].map(propagatorOf));
}

function propagatorOf(name: PropagatorName): TextMapPropagator {
  switch (name) {
    case "tracecontext":
      return new TraceContextPropagator();
    case "baggage":
      return new W3CBaggagePropagator();
    case "b3":
      return new (load("@opentelemetry/propagator-b3").B3Propagator)();
    case "b3multi": {
      const { B3InjectEncoding, B3Propagator } = load("@opentelemetry/propagator-b3");
      return new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
    }
    case "jaeger":
      return loadOwn("./propagate/jaeger").jaegerPropagator();
    case "xray":
      return loadOwn("./propagate/xray").xrayPropagator();
    case "ottrace":
      return loadOwn("./propagate/ottrace").ottracePropagator();
    default:
      return name satisfies never;
  }
}

/** All write; all read, and of two that find a trace the later wins. */
class GuardedPropagators implements TextMapPropagator {
  readonly #propagators: readonly TextMapPropagator[];
  readonly #fields: readonly string[];

  constructor(propagators: readonly TextMapPropagator[]) {
    this.#propagators = propagators;
    this.#fields = [...new Set(propagators.flatMap((propagator) => propagator.fields()))];
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    for (const propagator of this.#propagators) {
      try {
        propagator.inject(context, carrier, setter);
      } catch (error) {
        tell(`a trace could not be passed on: ${messageOf(error)}`, "inject");
      }
    }
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    let extracted = context;
    for (const propagator of this.#propagators) {
      try {
        extracted = propagator.extract(extracted, carrier, getter);
      } catch {
        // A header that cannot be read is none; whoever sends it is not in our hands.
      }
    }
    return extracted;
  }

  fields(): string[] {
    return [...this.#fields];
  }
}

/**
 * The trace that whoever started this process was in: TRACEPARENT, TRACESTATE, BAGGAGE, or the headers of
 * another format as variables. It is the parent of everything the process does by itself; requests that come
 * in bring their own. The root where the environment holds neither trace nor baggage.
 */
export function parentContext(
  propagator: TextMapPropagator,
  environment: NodeJS.ProcessEnv,
): Context {
  const carrier: Record<string, string> = {};
  for (const field of propagator.fields()) {
    // A variable's name has no hyphens.
    const value = environment[field.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")];
    if (value) carrier[field] = value;
  }
  if (Object.keys(carrier).length === 0) return rootContext;
  return propagator.extract(rootContext, carrier, {
    get: (values: typeof carrier, name) => values[name],
    keys: (values: typeof carrier) => Object.keys(values),
  });
}
