module.exports = async function run({ ioredis, knex, pg, redis }) {
  if (process.env.POSTGRES) {
    const client = new pg.Client({ connectionString: process.env.POSTGRES });
    await client.connect();
    await client.query("SELECT $1::text AS answer", ["secret"]);
    await client.query("SELECT 'secret' AS literal, 12345 AS number");
    await client.query("SELECT * FROM no_such_table").catch(() => {});
    await client.query("SELECT $1::integer", ["secret"]).catch(() => {});
    await client.end();
    const pool = new pg.Pool({ connectionString: process.env.POSTGRES });
    await new Promise((resolve) => pool.query("SELECT 1 AS pooled", resolve));
    await pool.end();
    const builder = knex({ client: "pg", connection: process.env.POSTGRES });
    await builder("pg_class").select("relname").where({ relname: "secret" }).limit(1);
    await builder("pg_class")
      .where({ relnamespace: "secret" })
      .catch(() => {});
    await builder.destroy();
  }
  if (process.env.REDIS) {
    const client = redis.createClient({ url: process.env.REDIS });
    await client.connect();
    await client.set("sonde-test", "secret");
    await client.get("sonde-test");
    await client.multi().set("sonde-test", "secret").get("sonde-test").exec();
    await client.eval("return ARGV[1]", { arguments: ["secret"] });
    await client.sendCommand(["NO-SUCH", "secret"]).catch(() => {});
    await client.close();
    const other = new ioredis.Redis(process.env.REDIS);
    await other.set("sonde-test", "secret");
    await other.get("sonde-test");
    await other.pipeline().set("sonde-test", "secret").get("sonde-test").exec();
    await other.call("NO-SUCH", "secret").catch(() => {});
    await other.quit();
  }
};
