// Compiles the parts that are WebAssembly. What comes out is committed, so that the project runs from
// source without this.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { main as compile } from "assemblyscript/asc";

/** Where each is, from the collector's folder, and how many pages of 64 KiB its memory has. */
export const modules = {
  // Plans, a request of 1 MiB, and one to read past its end.
  "wire/quick-walk": 18,
  // As collector/output/elasticsearch/quick-record-layout.ts divides it.
  "output/elasticsearch/quick-record": 163,
  // As collector/output/prometheus/quick-points-layout.ts divides it, and one to read past the end of it.
  "output/prometheus/quick-points": 25,
};

/** The text of a module's .binary.ts. */
export async function assemble(module) {
  const [, folder, name] = /^(.*)\/(.*)$/.exec(module);
  const pages = modules[module];
  const written = new Map();
  const { error, stderr } = await compile(
    `${name}.assembly.ts --outFile ${name}.wasm -O3 --runtime stub --noAssert --use abort=
      --enable simd --initialMemory ${pages} --maximumMemory ${pages}`
      .split(/\s+/)
      .concat("--baseDir", fileURLToPath(new URL(`../collector/${folder}/`, import.meta.url))),
    { writeFile: (file, contents) => void written.set(file, contents) },
  );
  if (error) throw new Error(`${name}: ${Buffer.from(stderr.toBuffer()).toString()}`);
  const text = Buffer.from(written.get(`${name}.wasm`)).toString("base64");
  const lines = text.match(/.{1,92}/g).map((line) => `  "${line}"`);
  return `// Made by \`npm run wasm\` from ${name}.assembly.ts.\n\nexport const binary =\n${lines.join(" +\n")};\n`;
}

/** Where the text of a module stands. */
export function binaryOf(module) {
  return new URL(`../collector/${module}.binary.ts`, import.meta.url);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const module of Object.keys(modules)) {
    const file = binaryOf(module);
    const text = await assemble(module);
    let before = "";
    try {
      before = readFileSync(file, "utf8");
    } catch {}
    if (before !== text) writeFileSync(file, text);
  }
}
