// Files of ours that few apps need, loaded when they do: each module costs the start about as much as all of
// reading the settings.

import { createRequire } from "node:module";
import type * as configFile from "./config-file.ts";
import type * as jaeger from "./propagate/jaeger.ts";
import type * as ottrace from "./propagate/ottrace.ts";
import type * as xray from "./propagate/xray.ts";
import type * as remote from "./sampling/remote.ts";

interface Own {
  "./config-file": typeof configFile;
  "./propagate/jaeger": typeof jaeger;
  "./propagate/ottrace": typeof ottrace;
  "./propagate/xray": typeof xray;
  "./sampling/remote": typeof remote;
}

const require = createRequire(import.meta.url);

export function loadOwn<Name extends keyof Own>(name: Name): Own[Name] {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return require(`${name}.${extension}`) as Own[Name]; // what the table above says about each name
}
