// Where the notes are kept: in PostgreSQL if DATABASE_URL says where that is, else in SQLite, in memory.
import { Pool } from "pg";

export async function openStore(url) {
  return url ? openPostgres(url) : openSqlite();
}

async function openPostgres(url) {
  const pool = new Pool({ connectionString: url });
  await pool.query("CREATE TABLE IF NOT EXISTS notes (id SERIAL PRIMARY KEY, text TEXT NOT NULL)");
  return {
    async add(text) {
      const { rows } = await pool.query("INSERT INTO notes (text) VALUES ($1) RETURNING id", [
        text,
      ]);
      return rows[0].id;
    },
    async find(id) {
      const { rows } = await pool.query("SELECT id, text FROM notes WHERE id = $1", [id]);
      return rows[0];
    },
    close: () => pool.end(),
  };
}

async function openSqlite() {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  const insert = database.prepare("INSERT INTO notes (text) VALUES (?)");
  const select = database.prepare("SELECT id, text FROM notes WHERE id = ?");
  return {
    add: async (text) => Number(insert.run(text).lastInsertRowid),
    find: async (id) => select.get(id),
    close: async () => database.close(),
  };
}
