// What metrics.* is for, once each; with an SDK or without one.
module.exports = async function run({ metrics, tracked }) {
  metrics.increment("orders");
  metrics.increment("orders", 2, { kind: "book" });
  metrics.gauge("waiting", 7);
  metrics.gauge("waiting", 5);
  metrics.observe("queue.length", () => 3, { queue: "mail" });
  metrics.timing("query", 250);
  const stop = metrics.timer("drawn");
  const took = stop({ shape: "circle" });
  process.stdout.write(`${took >= 0 && stop() === took}\n`);
  process.stdout.write(`${metrics.track("sum", () => 1 + 1)}\n`);
  process.stdout.write(`${await metrics.track("later", async () => "kept")}\n`);
  const failure = new RangeError("as asked");
  const fail = () => {
    throw failure;
  };
  try {
    metrics.track("sum", fail);
  } catch (error) {
    process.stdout.write(`${error === failure}\n`);
  }
  await metrics
    .track("later", async () => fail())
    .catch((error) => process.stdout.write(`${error === failure}\n`));
  metrics.increment("not a name");
  metrics.increment("not a name");
  metrics.gauge("orders", 1);
  process.stdout.write(`${typeof tracked()}\n`);
  if (process.argv[2] === "wide")
    for (let id = 0; id < 2100; id++) metrics.increment("wide", 1, { id });
};
