// Connects with one of Node's drivers, and says in one line of JSON what came of it:
//
//     client.mjs DRIVER CONNECTION
import { createRequire } from "node:module";
import path from "node:path";

// The drivers are not beside this file but in the folder that scripts/drivers filled.
const require = createRequire(path.join(process.env.DRIVERS_NODE, "index.js"));
const [driver, connection] = process.argv.slice(2);

const pg = async (name, after) => {
  const { Client } = require(name);
  const client = new Client(connection);
  client.on("error", () => {});
  await client.connect();
  after();
  for (let n = 0; n < 7; n++) await client.query("select $1::int", [n]);
};

const drivers = {
  pg: (after) => pg("pg", after),
  "pg-8.11": (after) => pg("pg-8.11", after),
  postgres: async (after) => {
    const postgres = require("postgres");
    const sql = postgres(connection, { max: 1, onnotice: () => {} });
    await sql.unsafe("select 1");
    after();
    for (let n = 0; n < 7; n++) await sql`select ${n}::int`;
  },
  "@prisma/adapter-pg": async (after) => {
    const { PrismaPg } = require("@prisma/adapter-pg");
    const adapter = await new PrismaPg({ connectionString: connection }).connect();
    const query = (n) => ({ sql: "select $1::int", args: [n], argTypes: [{ scalarType: "int", arity: "scalar" }] });
    await adapter.queryRaw(query(0));
    after();
    for (let n = 0; n < 7; n++) await adapter.queryRaw(query(n));
  },
};

const text = (error) => {
  const said = [];
  for (let at = error; at && said.length < 5; at = at.cause) {
    // Prisma's cause is no error: it has a kind, and the driver's own message and code.
    const name = at.name ?? at.kind;
    let line = `${name}: ${at.message ?? at.originalMessage ?? JSON.stringify(at)}`;
    // Node's attempts on several addresses have an empty message of their own.
    if (at.errors) line += ` [${at.errors.map((e) => e.message).join("; ")}]`;
    if (typeof at.code === "string" && !line.includes(at.code)) line += ` [${at.code}]`;
    said.push(line);
  }
  return said.join(" <- ");
};

const answer = { connected: false };
// What a driver throws outside of its promise is what the application dies of.
const finish = (error) => {
  if (error) Object.assign(answer, { error: text(error), code: String(error.cause?.originalCode ?? error.code ?? "") || null });
  else answer.answered = true;
  process.stdout.write(JSON.stringify(answer) + "\n", () => process.exit(0));
};
process.on("uncaughtException", finish);
process.on("unhandledRejection", finish);

if (connection === "--version") {
  const { readFileSync } = require("node:fs");
  const file = path.join(process.env.DRIVERS_NODE, "node_modules", driver, "package.json");
  console.log(`${JSON.parse(readFileSync(file)).version}, Node ${process.versions.node}`);
} else {
  drivers[driver](() => (answer.connected = true)).then(() => finish(), finish);
}
