// Two queues from the folder that is given, with jobs that wait for nobody.
const requireThere = require("node:module").createRequire(`${process.argv[2]}/`);
const { Queue } = requireThere("bullmq");
const Redis = requireThere("ioredis");

async function run() {
  const connection = new Redis(process.env.REDIS, { maxRetriesPerRequest: null });
  const [mails, bills] = ["mails", "bills"].map((name) => new Queue(name, { connection }));
  await mails.addBulk([1, 2, 3].map((number) => ({ name: "welcome", data: { number } })));
  await bills.add("later", {}, { delay: 3_600_000 });
  process.stdout.write(`listening on ${process.env.REDIS}\n`);
}
void run();
