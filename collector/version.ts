// The version of the package, read from its own package.json, from source as well as from dist/.

import { readFileSync } from "node:fs";

let known: string | undefined;

export function packageVersion(): string {
  known ??= read();
  return known;
}

function read(): string {
  for (const path of ["../package.json", "../../package.json"]) {
    try {
      const { name, version } = JSON.parse(
        readFileSync(new URL(path, import.meta.url), "utf8"),
      ) as { name: string; version: string }; // our own file
      if (name === "sonde") return version;
    } catch {
      // the other place
    }
  }
  return "unknown";
}
