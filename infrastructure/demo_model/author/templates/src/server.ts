/** Starts the application: settings in, server up, and down again in order. */

import { createServer } from "node:http";

import { PostgresStore } from "./db.ts";
import { createHandler } from "./routes.ts";

const databaseUrl = process.env["DATABASE_URL"];
const host = process.env["HOST"] ?? "127.0.0.1";
const port = Number(process.env["PORT"] ?? "3000");

if (databaseUrl === undefined || !Number.isInteger(port)) {
  console.error("Set DATABASE_URL to your PostgreSQL database, and PORT to a number or not at all.");
  process.exit(1);
}

const store = new PostgresStore(databaseUrl);
const server = createServer(createHandler(store, new URL("../public/", import.meta.url)));
server.requestTimeout = 10_000;
server.headersTimeout = 5_000;
server.listen(port, host, () => console.log(`Open http://${host}:${port}`));

function stop(): void {
  server.close(() => {
    store.close().catch((error: unknown) => console.error(error));
  });
}

process.once("SIGINT", stop);
process.once("SIGTERM", stop);
