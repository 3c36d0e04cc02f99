import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import app from "./app.cjs";
const [, , library, folder, ...address] = process.argv;
const file = createRequire(`${folder}/`).resolve(library);
const { default: exports } = await import(pathToFileURL(file));
await app[library](exports, ...address);
