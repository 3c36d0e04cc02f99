// One job through BullMQ, from the folder that is given.
const requireThere = require("node:module").createRequire(`${process.argv[2]}/`);
const { Queue, Worker } = requireThere("bullmq");
const Redis = requireThere("ioredis");

async function run() {
  const connection = new Redis(process.env.REDIS, { maxRetriesPerRequest: null });
  const queue = new Queue("mails", { connection });
  const worker = new Worker("mails", async ({ data }) => data, { connection });
  const done = new Promise((resolve) => worker.on("completed", resolve));
  await queue.add("welcome", { to: "secret" });
  const { returnvalue } = await done;
  process.stdout.write(`${returnvalue.to}\n`);
  await worker.close();
  await queue.close();
  connection.disconnect();
}
void run();
