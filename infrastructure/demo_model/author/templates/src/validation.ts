/** Checks what people send before it reaches the database. */

import type { Field, Input, Value } from "./model.ts";

export interface Problem {
  readonly field: string;
  readonly message: string;
}

export type Checked =
  | { readonly ok: true; readonly value: Input }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const LONGEST = { short_text: 200, long_text: 4000, email: 254, link: 2000 } as const;
const LARGEST_WHOLE = 2_147_483_647;
const LARGEST_MONEY = 9_999_999_999.99;

function isDate(text: string): boolean {
  if (!/^(?!0000)\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const parsed = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(text);
}

function isTime(text: string): boolean {
  return /^([01]\d|2[0-3]):[0-5]\d$/.test(text);
}

function isMoment(text: string): boolean {
  const [day = "", hour = "", ...more] = text.split("T");
  return isDate(day) && isTime(hour) && more.length === 0;
}

function wordsWrong(field: Field, text: string): string | null {
  switch (field.kind) {
    case "short_text":
    case "long_text":
    case "email":
    case "link": {
      const longest = LONGEST[field.kind];
      if (text.length > longest) return `has at most ${longest} characters`;
      if (text.includes("\u0000")) return "has a character that cannot be stored";
      if (field.kind === "email" && !/^[^@\s]+@[^@\s]+$/.test(text)) return "is an e-mail address";
      if (field.kind === "link" && !/^https?:\/\/\S+$/.test(text)) return "begins with https://";
      return null;
    }
    case "date":
      return isDate(text) ? null : "is a date such as 2026-05-31";
    case "moment":
      return isMoment(text) ? null : "is a date with a time such as 2026-05-31T18:30";
    case "time":
      return isTime(text) ? null : "is a time such as 18:30";
    case "choice":
      return field.options?.includes(text) ? null : `is one of: ${field.options?.join(", ")}`;
    default:
      return "has the wrong form";
  }
}

function numberWrong(field: Field, value: number): string | null {
  if (field.kind === "money") {
    const cents = value * 100;
    const exact = Math.abs(cents - Math.round(cents)) < 1e-6;
    return value >= 0 && value <= LARGEST_MONEY && exact ? null : "is an amount such as 12.50";
  }
  const smallest = field.kind === "reference" ? 1 : 0;
  const whole = Number.isInteger(value) && value >= smallest && value <= LARGEST_WHOLE;
  if (field.kind === "reference") return whole ? null : "is chosen from the list";
  return whole ? null : "is a whole number, 0 or more";
}

function checkValue(field: Field, raw: unknown): { value: Value; wrong: string | null } {
  const value = typeof raw === "string" ? raw.trim() : raw;
  if (field.kind === "yes_no") {
    if (value === undefined || value === null || value === "") return { value: false, wrong: null };
    return typeof value === "boolean"
      ? { value, wrong: null }
      : { value: null, wrong: "is yes or no" };
  }
  if (value === undefined || value === null || value === "") {
    return { value: null, wrong: field.required ? "is needed" : null };
  }
  if (field.kind === "whole_number" || field.kind === "money" || field.kind === "reference") {
    return typeof value === "number"
      ? { value, wrong: numberWrong(field, value) }
      : { value: null, wrong: "is a number" };
  }
  return typeof value === "string"
    ? { value, wrong: wordsWrong(field, value) }
    : { value: null, wrong: "is a text" };
}

/** Checks an input field by field; an unknown field is a problem of its own. */
export function validate(fields: readonly Field[], input: unknown): Checked {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return { ok: false, problems: [{ field: "", message: "An object with fields is needed." }] };
  }
  const given = new Map<string, unknown>(Object.entries(input));
  const problems: Problem[] = [];
  const value: Input = {};
  for (const field of fields) {
    const checked = checkValue(field, given.get(field.name));
    given.delete(field.name);
    value[field.name] = checked.value;
    if (checked.wrong !== null) {
      problems.push({ field: field.name, message: `${field.label} ${checked.wrong}.` });
    }
  }
  for (const name of given.keys()) {
    problems.push({ field: name.slice(0, 100), message: "This field is not known." });
  }
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}
