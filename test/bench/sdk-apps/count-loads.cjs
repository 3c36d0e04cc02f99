// Preloaded before an agent: counts the files of JavaScript that are loaded, CommonJS and ES modules.
const { registerHooks } = require("node:module");

let count = 0;
registerHooks({
  load(url, context, next) {
    if (url.startsWith("file:")) count++;
    return next(url, context);
  },
});
process.on("exit", () => process.stderr.write(`loads ${count}\n`));
