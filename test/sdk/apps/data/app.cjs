module.exports = async function run({ pg, redis }) {
  if (process.env.POSTGRES) {
    const client = new pg.Client({ connectionString: process.env.POSTGRES });
    await client.connect();
    await client.query("SELECT $1::text AS answer", ["secret"]);
    await client.query("SELECT * FROM no_such_table").catch(() => {});
    await client.end();
  }
  if (process.env.REDIS) {
    const client = redis.createClient({ url: process.env.REDIS });
    await client.connect();
    await client.set("sonde-test", "secret");
    await client.get("sonde-test");
    await client.close();
  }
};
