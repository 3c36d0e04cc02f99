// The formats that OTEL_PROPAGATORS asks for as one propagator. Those of W3C and B3 are OpenTelemetry's own;
// the others are here. None of them can throw into the app, whatever a header holds.

import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from "@opentelemetry/api";
import { load } from "../packages.ts";
import type { Settings } from "../settings.ts";
import { messageOf, tell } from "../tell.ts";
import { jaegerPropagator } from "./jaeger.ts";
import type { PropagatorName } from "./names.ts";
import { ottracePropagator } from "./ottrace.ts";
import { xrayPropagator } from "./xray.ts";

export function makePropagator({ propagators }: Pick<Settings, "propagators">): TextMapPropagator {
  return new GuardedPropagators([...new Set(propagators)].map(propagatorOf));
}

function propagatorOf(name: PropagatorName): TextMapPropagator {
  switch (name) {
    case "tracecontext":
      return new (load("@opentelemetry/core").W3CTraceContextPropagator)();
    case "baggage":
      return new (load("@opentelemetry/core").W3CBaggagePropagator)();
    case "b3":
      return new (load("@opentelemetry/propagator-b3").B3Propagator)();
    case "b3multi": {
      const { B3InjectEncoding, B3Propagator } = load("@opentelemetry/propagator-b3");
      return new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
    }
    case "jaeger":
      return jaegerPropagator();
    case "xray":
      return xrayPropagator();
    case "ottrace":
      return ottracePropagator();
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
