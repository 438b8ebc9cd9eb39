/** Keeps things in PostgreSQL. Every statement is a constant and every value a parameter. */

import { Pool } from "pg";

import { StillReferred } from "./model.ts";
import type { Entity, Input, Page, Row, Store, Value } from "./model.ts";

/** What PostgreSQL answers when a reference would point nowhere; from version 18 on, either. */
const REFERENCE_VIOLATED: readonly unknown[] = ["23503", "23001"];

function violatesReference(error: unknown): boolean {
  return error instanceof Error && "code" in error && REFERENCE_VIOLATED.includes(error.code);
}

function valuesOf(entity: Entity, input: Input): Value[] {
  return entity.fields.map((field) => input[field.name] ?? null);
}

export class PostgresStore implements Store {
  readonly #pool: Pool;

  constructor(connectionString: string) {
    this.#pool = new Pool({
      connectionString,
      max: 10,
      connectionTimeoutMillis: 2_000,
      statement_timeout: 5_000,
    });
  }

  async list(entity: Entity, page: Page): Promise<Row[]> {
    return this.#rows(entity.queries.list, [page.search, page.limit, page.offset]);
  }

  async read(entity: Entity, id: number): Promise<Row | null> {
    return (await this.#rows(entity.queries.read, [id]))[0] ?? null;
  }

  async insert(entity: Entity, input: Input): Promise<Row> {
    const [row] = await this.#rows(entity.queries.insert, valuesOf(entity, input));
    if (row === undefined) throw new Error("The database returned no row for an insert.");
    return row;
  }

  async update(entity: Entity, id: number, input: Input): Promise<Row | null> {
    const rows = await this.#rows(entity.queries.update, [id, ...valuesOf(entity, input)]);
    return rows[0] ?? null;
  }

  async remove(entity: Entity, id: number): Promise<boolean> {
    return (await this.#rows(entity.queries.remove, [id])).length > 0;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #rows(statement: string, values: readonly Value[]): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(statement, [...values])).rows;
    } catch (error) {
      if (violatesReference(error)) throw new StillReferred();
      throw error;
    }
  }
}
