import { describe, expect, test } from "vitest";
import { describeCommand } from "../../sdk/instrument/redis.ts";
import { isSql, operationOf, scrubMysql, scrubSql } from "../../sdk/instrument/sql.ts";

test.each([
  [
    "SELECT * FROM users WHERE name='ann' AND age>5 AND id=$1 AND x=-1.5e3",
    "SELECT * FROM users WHERE name=? AND age>? AND id=$1 AND x=?",
  ],
  [`select "a1" from "s"."t" where b = E'it\\'s' -- why`, 'select "a1" from "s"."t" where b = ? '],
  [
    "INSERT INTO t1 VALUES ('x''y', 0xFF), (?, :name, @p1)",
    "INSERT INTO t1 VALUES (?, ?), (?, :name, @p1)",
  ],
  ["update a.b set c=$tag$se'cret$tag$ /* why */", "update a.b set c=? "],
  ["select `a b`, n'x', b'1' from t2", "select `a b`, ?, ? from t2"],
  ["select 'never closed", "select ?"],
  [
    "select a from b where c = 'x\\\\' and d = 'secret' and e = 5",
    "select a from b where c = ? and e = ?",
  ],
  ["SELECT $1::text, a[$2]", "SELECT $1::text, a[$2]"],
])("%s is sent as %s", (sql, scrubbed) => {
  expect(scrubSql(sql)).toBe(scrubbed);
  expect(isSql(sql)).toBe(true);
});

test("in MySQL a text may stand in double quotes", () => {
  expect(scrubMysql('select `a` from b where c = "x" and d = 5')).toBe(
    "select `a` from b where c = ? and d = ?",
  );
});

test.each([
  ["/* c */ SELECT a\nFROM shop.orders o JOIN users u", "SELECT", "shop.orders"],
  ['insert into "Users" (a) values (1)', "INSERT", "Users"],
  ["update only t set a = 'from x'", "UPDATE", "t"],
  ["begin", "BEGIN", undefined],
  ["", "SQL", undefined],
  ['create table if not exists "s"."items" (id int)', "CREATE", "s.items"],
  ["DROP TABLE IF EXISTS items", "DROP", "items"],
])("%s does %s to %s", (sql, operation, collection) => {
  expect(operationOf(sql)).toEqual({ operation, ...(collection ? { collection } : {}) });
});

describe.each(["'", "$a", "$a$b", "--", "/*", '"', "select ", "1e"])("%s over and over", (part) => {
  test("takes time that goes with its length", () => {
    const begun = performance.now();
    const sql = part.repeat(50_000);
    operationOf(sql);
    expect(scrubSql(sql).length).toBeLessThanOrEqual(sql.length);
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});

test.each([
  ["SET", ["greeting", "secret"], "SET greeting ?"],
  ["get", ["greeting"], "get greeting"],
  ["AUTH", ["user", "secret"], "AUTH ? ?"],
  ["EVAL", ["return 1", "0", "secret"], "EVAL ? ? ?"],
  ["CONFIG", ["SET", "requirepass", "secret"], "CONFIG ? ? ?"],
  ["HELLO", ["3", "AUTH", "user", "secret"], "HELLO ? ? ? ?"],
  ["MODULE.NEW", ["secret"], "MODULE.NEW ?"],
  ["DEL", Array.from({ length: 9 }, () => "k"), "DEL k ? ? ? ? ? ? ? …"],
  ["HSET", [Buffer.from("key"), 1], "HSET key ?"],
  ["PING", [], "PING"],
])("a command of Redis shows its key at most: %s", (name, args, text) => {
  expect(describeCommand(name, args)).toBe(text);
});
