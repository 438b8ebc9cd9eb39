/** What the addresses answer, with things kept in memory. @@MARK@@ */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
@@IMPORTS@@
import type { Entity, Input, Page, Row, Store } from "../src/model.ts";
import { createHandler } from "../src/routes.ts";

/** Searches by number only: what PostgreSQL does beyond that is for a test with a database. */
class MemoryStore implements Store {
  readonly #rows = new Map<string, Row[]>();
  #last = 0;

  async list(entity: Entity, page: Page): Promise<Row[]> {
    const rows = this.#of(entity).toReversed();
    return rows.filter((row) => page.search === "" || String(row.id) === page.search);
  }

  async read(entity: Entity, id: number): Promise<Row | null> {
    return this.#of(entity).find((row) => row.id === id) ?? null;
  }

  async insert(entity: Entity, input: Input): Promise<Row> {
    this.#last += 1;
    const row = { ...input, id: this.#last };
    this.#rows.set(entity.path, [...this.#of(entity), row]);
    return row;
  }

  async update(entity: Entity, id: number, input: Input): Promise<Row | null> {
    if ((await this.read(entity, id)) === null) return null;
    const changed = { ...input, id };
    this.#rows.set(entity.path, this.#of(entity).map((row) => (row.id === id ? changed : row)));
    return changed;
  }

  async remove(entity: Entity, id: number): Promise<boolean> {
    const kept = this.#of(entity).filter((row) => row.id !== id);
    const removed = kept.length < this.#of(entity).length;
    this.#rows.set(entity.path, kept);
    return removed;
  }

  #of(entity: Entity): Row[] {
    return this.#rows.get(entity.path) ?? [];
  }
}

interface Answer {
  readonly status: number;
  readonly body: any;
}

type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

async function serving(work: (call: Call) => Promise<void>): Promise<void> {
  const folder = new URL("../public/", import.meta.url);
  const server = createServer(createHandler(new MemoryStore(), folder));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  try {
    await work(async (method, path, body) => {
      const headers = { "content-type": "application/json", connection: "close" };
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...sent });
      const text = await answer.text();
      return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
    });
  } finally {
    server.close();
  }
}
