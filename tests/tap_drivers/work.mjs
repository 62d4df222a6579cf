// Works with one of Node's drivers as applications do, and prints a digest of all answers:
//
//     work.mjs pg|postgres URL
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const require = createRequire(path.join(process.env.DRIVERS_NODE, "index.js"));
const [driver, url] = process.argv.slice(2);
const digest = createHash("sha256");
const note = (answer) => digest.update(JSON.stringify(answer));
const large = "select repeat('row', 1400000) || n as text, n from generate_series(1, 3) n";
const lines = Array.from({ length: 20000 }, (_, n) => `${n}\ttext ${n}\n`).join("");

const works = {
  pg: async () => {
    const { Client } = require("pg");
    const client = new Client(url);
    await client.connect();
    for (let n = 0; n < 300; n++) {
      note((await client.query("select $1::int + 1 as n, $2::text as t", [n, `'${n}\\`])).rows);
      if (n % 50 === 0) await client.query("select 1 / $1::int", [0]).catch((error) => note(error.code));
      if (n % 50 === 1) note((await client.query({ name: "named", text: "select $1::int as n", values: [n] })).rows);
    }
    note((await client.query(large)).rows);
    await client.query("begin; declare rows cursor for select n, md5(n::text) from generate_series(1, 1000) n");
    for (let n = 0; n < 10; n++) note((await client.query("fetch 100 from rows")).rows);
    await client.query("commit");
    note((await client.query("select 'after' as t")).rows);
    await client.end();
  },
  postgres: async () => {
    const postgres = require("postgres");
    const sql = postgres(url, { max: 1, ssl: url.includes("sslmode=require") ? { rejectUnauthorized: false } : false });
    for (let n = 0; n < 300; n++) {
      note([...(await sql`select ${n}::int + 1 as n, ${`'${n}\\`}::text as t`)]);
      if (n % 50 === 0) await sql`select 1 / ${0}::int`.catch((error) => note(error.code));
    }
    await sql`create temporary table copied (n int, t text)`;
    await pipeline(Readable.from([lines]), await sql`copy copied from stdin`.writable());
    // In clear, it stays paused for ever after a longer copy.
    const some = await sql`copy (select * from copied order by n limit 500) to stdout`.readable();
    for await (const part of some) digest.update(part);
    note([...(await sql.unsafe(large))]);
    for await (const rows of sql`select n, md5(n::text) from generate_series(1, 1000) n`.cursor(100)) note([...rows]);
    const slow = sql`select pg_sleep(60)`;
    setTimeout(() => slow.cancel(), 500);
    await slow.catch((error) => note(error.code));
    note([...(await sql`select 'after' as t`)]);
    await sql.end();
  },
};

await works[driver]();
console.log(digest.digest("hex"));
