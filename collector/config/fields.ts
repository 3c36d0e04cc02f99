// Kinds of settings that zod has no word for. Their messages follow the value: `"80a" is not a port; …`.
// A schema says with `secret` that its value is never to be printed.

import { z } from "zod";
import { signals as all, type Signal } from "../wire/batch.ts";

/** Of listeners: 0 is any free port. */
export function port(): z.ZodUnion<readonly [z.ZodInt, z.ZodLiteral<"off">]> {
  const error = "is not a port; give 0 to 65535, or off";
  return z.union([z.int(error).min(0, error).max(65535, error), z.literal("off", error)], error);
}

const unitBytes: ReadonlyMap<string, number> = new Map(
  ["b", "kib", "mib", "gib", "tib"].map((unit, power) => [unit, 1024 ** power]),
);

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A number of bytes, or a text such as 512MiB. */
export function bytes({ min, max }: Range): z.ZodType<number, number | string> {
  const error = "is not a size; give bytes, or a number with KiB, MiB, GiB or TiB";
  return z
    .union([z.number(), z.string()], error)
    .transform((given, context) => {
      if (Number.isInteger(given)) return Number(given);
      const [, count, unit = "b"] = /^(\d{1,15}) ?([a-z]{1,3})?$/i.exec(String(given).trim()) ?? [];
      const factor = unitBytes.get(unit.toLowerCase());
      if (count !== undefined && factor !== undefined) return Number(count) * factor;
      context.issues.push({ code: "custom", message: error, input: given });
      return z.NEVER;
    })
    .pipe(z.number().min(min).max(max))
    .meta({ unit: "bytes" });
}

/** Of a file: never a secret, whatever its name. */
export function path(): z.ZodString {
  return z.string().min(1).meta({ secret: false });
}

type Signals<Taken extends Signal> = z.ZodArray<z.ZodEnum<{ [S in Taken]: S }>>;

/** What an output takes. */
export function signals(): Signals<Signal> {
  return signalsOf(...all);
}

/** The same for one that cannot take all. */
export function signalsOf<const Taken extends Signal>(...taken: readonly Taken[]): Signals<Taken> {
  return z.array(z.enum(taken)).min(1, "is empty; leave it out for the default");
}

const stepNames = z.array(z.string()).max(100).default([]);

/**
 * The settings of an output and the names of its steps. The type does not tell of these: loadConfig looks
 * them up and takes them out again.
 */
export function withSteps<Schema extends z.ZodObject>(settings: Schema): Schema {
  return settings.safeExtend({ steps: stepNames }) as z.ZodObject as Schema;
}

export function secret<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ ...schema.meta(), secret: true });
}

/** What a schema is once defaults and the like are taken off, from the outside in. */
export function* layers(schema: z.core.$ZodType): Generator<z.core.$ZodType> {
  let layer: z.core.$ZodType | undefined = schema;
  while (layer) {
    yield layer;
    const { def }: { def: z.core.$ZodTypeDef } = layer._zod;
    if ("innerType" in def) layer = def.innerType as z.core.$ZodType; // how zod's wrappers are built
    else if ("in" in def) layer = def.in as z.core.$ZodType; // a pipe: what comes in
    else layer = undefined;
  }
}

/** Names that are secret whether or not the schema says so: forgetting it would print a password. */
const secretName = /(^|_)(password|token|secret|key|headers)$/;

export function isSecret(name: string, schema: z.core.$ZodType): boolean {
  if (hasMark(schema, "secret", false)) return false;
  return secretName.test(name) || hasMark(schema, "secret", true);
}

export function isBytes(schema: z.core.$ZodType): boolean {
  return hasMark(schema, "unit", "bytes");
}

function hasMark(schema: z.core.$ZodType, mark: string, value: unknown): boolean {
  for (const layer of layers(schema)) {
    if (z.globalRegistry.get(layer)?.[mark] === value) return true;
  }
  return false;
}
