// sonde as it is published.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Built {
  /** The collector's program. */
  readonly main: string;
  /** What an app preloads. */
  readonly register: string;
  readonly remove: () => void;
}

/** Compiles it as for publishing, but into a folder of its own. */
export async function build(): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), "sonde-build-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  for (const name of ["node_modules", "package.json"]) {
    symlinkSync(join(root, name), join(folder, name));
  }
  const tsc = join(root, "node_modules/.bin/tsc");
  const dist = join(folder, "dist");
  const main = join(dist, "collector/main.js");
  const args = ["-p", join(root, "tsconfig.build.json"), "--outDir", dist];
  const run = promisify(execFile);
  await run(tsc, args).catch((error: Error & { readonly stdout?: string }) => {
    if (existsSync(main)) return; // what types are wrong, `npm run check` says
    remove();
    throw new Error(`sonde does not compile: ${error.stdout || error.message}`, { cause: error });
  });
  await run(process.execPath, [join(root, "scripts/bundle.js"), dist]);
  return { main, register: join(dist, "sdk/register.cjs"), remove };
}
