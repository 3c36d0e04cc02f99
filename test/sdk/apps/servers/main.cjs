const { createRequire } = require("node:module");
const [, , library, folder, ...address] = process.argv;
const requireThere = createRequire(`${folder}/`);
const app = require("./app.cjs");
void app[library](requireThere(library), ...address);
