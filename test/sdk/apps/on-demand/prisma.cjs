// Writes and reads an item by the client that was generated into the folder that is given.
const requireThere = require("node:module").createRequire(`${process.argv[2]}/`);
const { PrismaClient } = requireThere("./client.cjs");
const { PrismaPg } = requireThere("@prisma/adapter-pg");

async function run() {
  const adapter = new PrismaPg({ connectionString: process.env.POSTGRES });
  const prisma = new PrismaClient({ adapter });
  await prisma.$executeRaw`CREATE TABLE IF NOT EXISTS "Item" (id serial PRIMARY KEY, name text)`;
  await prisma.item.create({ data: { name: "secret" } });
  const found = await prisma.item.findMany({ where: { name: "secret" } });
  process.stdout.write(`${found.length}\n`);
  await prisma.$disconnect();
}
void run();
