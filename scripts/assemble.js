// Compiles the parts that are WebAssembly. What comes out is committed, so that the project runs from
// source without this.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { main as compile } from "assemblyscript/asc";

const pages = 18; // of 64 KiB: plans, a request of 1 MiB, and one to read past its end

/** The text of quick-walk.binary.ts. */
export async function assemble() {
  const folder = fileURLToPath(new URL("../collector/wire/", import.meta.url));
  const written = new Map();
  const { error } = await compile(
    `quick-walk.assembly.ts --outFile quick-walk.wasm -O3 --runtime stub --noAssert --use abort=
      --enable simd --initialMemory ${pages} --maximumMemory ${pages}`
      .split(/\s+/)
      .concat("--baseDir", folder),
    { writeFile: (name, contents) => void written.set(name, contents) },
  );
  if (error) throw error;
  const text = Buffer.from(written.get("quick-walk.wasm")).toString("base64");
  const lines = text.match(/.{1,92}/g).map((line) => `  "${line}"`);
  return `// Made by \`npm run wasm\` from quick-walk.assembly.ts.\n\nexport const binary =\n${lines.join(" +\n")};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL("../collector/wire/quick-walk.binary.ts", import.meta.url);
  const text = await assemble();
  if (readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}
