/** What the application knows about every kind of thing it keeps. */

export type FieldKind =
  | "short_text"
  | "long_text"
  | "email"
  | "link"
  | "whole_number"
  | "money"
  | "date"
  | "moment"
  | "time"
  | "yes_no"
  | "choice"
  | "reference";

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind: FieldKind;
  readonly required: boolean;
  /** The allowed values of a choice. */
  readonly options?: readonly string[];
  /** The path of the things a reference points to. */
  readonly target?: string;
}

/** Constant statements; every value goes in as a parameter. */
export interface Queries {
  readonly list: string;
  readonly read: string;
  readonly insert: string;
  readonly update: string;
  readonly remove: string;
}

export interface Entity {
  /** The path below /api/, and the table. */
  readonly path: string;
  readonly label: string;
  readonly fields: readonly Field[];
  readonly queries: Queries;
}

export type Value = string | number | boolean | null;
export type Input = Record<string, Value>;
export type Row = Input & { id: number };

export interface Page {
  readonly search: string;
  readonly limit: number;
  readonly offset: number;
}

/** Where things are kept. */
export interface Store {
  list(entity: Entity, page: Page): Promise<Row[]>;
  read(entity: Entity, id: number): Promise<Row | null>;
  insert(entity: Entity, input: Input): Promise<Row>;
  update(entity: Entity, id: number, input: Input): Promise<Row | null>;
  remove(entity: Entity, id: number): Promise<boolean>;
}

/** Something else still refers to this thing, or it refers to something that is not there. */
export class StillReferred extends Error {}
