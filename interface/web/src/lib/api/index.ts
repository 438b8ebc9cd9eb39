/** The API as the pages call it: the generated functions, and a refusal where there is no answer. */
export * from './generated';
export * from './lifecycle_tables';
export { Refusal, answerOf, needsKey, wordsOf } from './refusal';
export { session } from './session.svelte';
