/** Answers requests: /api/<things> for lists, /api/<things>/<number> for one, else a page. */

import { readFile } from "node:fs/promises";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

import { StillReferred } from "./model.ts";
import type { Entity, Store } from "./model.ts";
import { entities } from "./registry.ts";
import { validate } from "./validation.ts";

const LARGEST_BODY_BYTES = 64 * 1024;
const PAGE_SIZE = 50;
const LARGEST_OFFSET = 1_000_000;

const SECURITY_HEADERS = {
  "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

const PAGES: Readonly<Record<string, readonly [string, string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/styles.css": ["styles.css", "text/css; charset=utf-8"],
};

/** An answer that is not the expected one, with what the person reads. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { ...SECURITY_HEADERS, "content-type": "application/json" });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!request.headers["content-type"]?.startsWith("application/json")) {
    throw new Refusal(415, "Send application/json.");
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST_BODY_BYTES) throw new Refusal(413, "This is too much text.");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refusal(400, "This is not JSON.");
  }
}

function offsetOf(url: URL): number {
  const offset = Number(url.searchParams.get("offset") ?? "0");
  if (!Number.isInteger(offset) || offset < 0 || offset > LARGEST_OFFSET) {
    throw new Refusal(400, "The offset is a whole number, 0 or more.");
  }
  return offset;
}

async function checked(request: IncomingMessage, response: ServerResponse, entity: Entity) {
  const result = validate(entity.fields, await readJson(request));
  if (result.ok) return result.value;
  send(response, 422, { message: "Some fields need another look.", problems: result.problems });
  return null;
}

async function serveAll(
  store: Store,
  entity: Entity,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === "GET") {
    const search = (url.searchParams.get("search") ?? "").trim().slice(0, 200);
    const page = { search, limit: PAGE_SIZE, offset: offsetOf(url) };
    send(response, 200, { items: await store.list(entity, page) });
  } else if (request.method === "POST") {
    const input = await checked(request, response, entity);
    if (input !== null) send(response, 201, await store.insert(entity, input));
  } else {
    throw new Refusal(405, "Only GET and POST work here.");
  }
}

async function serveOne(
  store: Store,
  entity: Entity,
  id: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new Refusal(404, `This ${entity.label} is not there.`);
  if (request.method === "GET") {
    const row = await store.read(entity, id);
    if (row === null) throw gone;
    send(response, 200, row);
  } else if (request.method === "PUT") {
    const input = await checked(request, response, entity);
    if (input === null) return;
    const row = await store.update(entity, id, input);
    if (row === null) throw gone;
    send(response, 200, row);
  } else if (request.method === "DELETE") {
    if (!(await store.remove(entity, id))) throw gone;
    send(response, 204, undefined);
  } else {
    throw new Refusal(405, "Only GET, PUT and DELETE work here.");
  }
}

async function servePage(folder: URL, path: string, response: ServerResponse): Promise<void> {
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (page === undefined) throw new Refusal(404, "There is nothing at this address.");
  const body = await readFile(new URL(page[0], folder));
  response.writeHead(200, { ...SECURITY_HEADERS, "content-type": page[1] });
  response.end(body);
}

async function route(
  store: Store,
  folder: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const found = /^\/api\/([a-z0-9_]+)(?:\/(\d{1,9}))?$/.exec(url.pathname);
  if (found === null) {
    if (request.method !== "GET") throw new Refusal(405, "Only GET works here.");
    await servePage(folder, url.pathname, response);
    return;
  }
  const entity = entities.find((candidate) => candidate.path === found[1]);
  if (entity === undefined) throw new Refusal(404, "There is nothing at this address.");
  if (found[2] === undefined) await serveAll(store, entity, url, request, response);
  else await serveOne(store, entity, Number(found[2]), request, response);
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
  } else if (error instanceof Refusal) {
    send(response, error.status, { message: error.message });
  } else if (error instanceof StillReferred) {
    send(response, 409, { message: "Something else still needs this, or it is not there any more." });
  } else {
    console.error(error);
    send(response, 503, { message: "That did not work. Please try again in a moment." });
  }
}

/** Makes the listener of the server: `folder` holds the pages. */
export function createHandler(store: Store, folder: URL): RequestListener {
  return (request, response) => {
    route(store, folder, request, response).catch((error: unknown) => fail(response, error));
  };
}
