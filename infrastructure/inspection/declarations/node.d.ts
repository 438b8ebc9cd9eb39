// What Node gives to every program, so far as checks of types need it: names that exist, of any
// type, and the assertions, which tell the compiler what holds after them.
declare var process: any;
declare var Buffer: any;
declare type Buffer = any;
declare type BufferEncoding = string;
declare var require: any;
declare var module: any;
declare var exports: any;
declare var global: any;
declare var __dirname: string;
declare var __filename: string;
declare function setImmediate(...given: any[]): any;
declare function clearImmediate(...given: any[]): void;
declare namespace NodeJS {
  type Timeout = any;
  type Timer = any;
  type Immediate = any;
  type ErrnoException = Error & { code?: string; errno?: number; path?: string; syscall?: string };
  type ProcessEnv = any;
  type Process = any;
  type Signals = string;
  type Platform = string;
  type ReadableStream = any;
  type WritableStream = any;
  type Dict<T> = { [key: string]: T | undefined };
  type Module = any;
  type Require = any;
  type Architecture = string;
}
interface ImportMeta {
  dirname: string;
  filename: string;
  url: string;
  main: boolean;
  env: any;
  resolve(wanted: string): string;
}
declare var assert: any;
declare var describe: any;
declare var it: any;
declare var test: any;
declare var expect: any;
declare var beforeEach: any;
declare var afterEach: any;
declare var beforeAll: any;
declare var afterAll: any;
declare var before: any;
declare var after: any;
declare var suite: any;
declare var vi: any;
declare var jest: any;
declare var Deno: any;
declare var Bun: any;

declare module "node:assert" {
  function assert(value: unknown, message?: string | Error): asserts value;
  namespace assert {
    function ok(value: unknown, message?: string | Error): asserts value;
    function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function equal(actual: unknown, expected: unknown, message?: string | Error): void;
    function notEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function deepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notDeepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function partialDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function throws(block: () => unknown, ...given: any[]): void;
    function doesNotThrow(block: () => unknown, ...given: any[]): void;
    function rejects(block: (() => Promise<unknown>) | Promise<unknown>, ...given: any[]): Promise<void>;
    function doesNotReject(block: (() => Promise<unknown>) | Promise<unknown>, ...given: any[]): Promise<void>;
    function match(value: string, pattern: RegExp, message?: string | Error): void;
    function doesNotMatch(value: string, pattern: RegExp, message?: string | Error): void;
    function ifError(value: unknown): asserts value is null | undefined;
    function fail(...given: any[]): never;
    const AssertionError: any;
    const strict: typeof assert;
  }
  export = assert;
}
declare module "node:assert/strict" {
  import assert = require("node:assert");
  namespace strict {
    function ok(value: unknown, message?: string | Error): asserts value;
    function equal<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function deepEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function strictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function deepStrictEqual<T>(actual: unknown, expected: T, message?: string | Error): asserts actual is T;
    function notEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notDeepEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function notDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    function partialDeepStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void;
    const throws: typeof assert.throws;
    const doesNotThrow: typeof assert.doesNotThrow;
    const rejects: typeof assert.rejects;
    const doesNotReject: typeof assert.doesNotReject;
    const match: typeof assert.match;
    const doesNotMatch: typeof assert.doesNotMatch;
    function ifError(value: unknown): asserts value is null | undefined;
    function fail(...given: any[]): never;
    const AssertionError: any;
  }
  function strict(value: unknown, message?: string | Error): asserts value;
  export = strict;
}
declare module "assert" {
  import assert = require("node:assert");
  export = assert;
}
declare module "assert/strict" {
  import strict = require("node:assert/strict");
  export = strict;
}
declare var expectTypeOf: any;
declare var assertType: any;
declare var bench: any;
declare var chai: any;
