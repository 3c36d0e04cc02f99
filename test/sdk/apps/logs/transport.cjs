// A pino transport that prints the messages, and whether OpenTelemetry is loaded in its thread.
const { Writable } = require("node:stream");

module.exports = ({ as }) =>
  new Writable({
    write(chunk, _encoding, done) {
      const loaded = Object.keys(require.cache).some((file) => file.includes("opentelemetry/sdk"));
      const { msg } = JSON.parse(chunk);
      process.stdout.write(`${as}: ${msg}${loaded ? ", with an SDK of its own" : ""}\n`);
      done();
    },
  });
