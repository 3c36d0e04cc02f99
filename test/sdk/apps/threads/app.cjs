/* oxlint-disable unicorn/no-process-exit, unicorn/require-post-message-target-origin */
// One request, made and answered in each of two threads; the second ends as the argument says.
module.exports = function run({ threads, http }, filename) {
  const { isMainThread, parentPort, Worker } = threads;
  const [, , ending] = process.argv;
  const server = http.createServer((_request, response) => response.end("hello"));
  server.listen(0, "127.0.0.1", () => {
    http.get({ port: server.address().port, agent: false }, (answer) => {
      answer.resume().on("end", () => setTimeout(end, 50));
    });
  });
  if (isMainThread) {
    const worker = new Worker(filename, { argv: [ending] });
    worker.on("message", () => void worker.terminate());
    worker.on("exit", (code) => process.stdout.write(`worker ${code}\n`));
  }

  function end() {
    server.close();
    if (isMainThread) return;
    if (ending === "exit") process.exit(3);
    if (ending === "terminated") {
      setInterval(() => {}, 1000);
      parentPort.postMessage("now");
    }
  }
};
