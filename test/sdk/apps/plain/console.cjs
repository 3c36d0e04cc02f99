// Prints in every way there is.
/* oxlint-disable no-console */
console.log("plain %s %d", "text", 7, { nested: { deep: { deeper: 1 } } });
console.info();
console.warn("warned", new Map([["key", "value"]]));
console.error(Object.create(null), Symbol("odd"), 10n);
console.debug("debugged");
console.dir({ not: "sent" });
try {
  console.log({
    get [Symbol.toStringTag]() {
      throw new Error("a getter that throws");
    },
  });
} catch (error) {
  process.stdout.write(`${error.message}\n`);
}
console.log(console.log.name, console.log.length);
