import { expect, test } from 'vitest';
import { Refusal, answerOf, needsKey, wordsOf } from '#lib/api/refusal.ts';
import type { Problem } from '#lib/api/generated/index.ts';
import { t } from '#lib/i18n/index.ts';

const problem = (more: object): Problem =>
	({
		code: 'unknown_here',
		status: 422,
		title: 'No',
		detail: 'It is too long.',
		...more
	}) as unknown as Problem;
const refused = (status: number, error: unknown) =>
	answerOf(Promise.resolve({ error, response: new Response(null, { status }) })).catch(
		(thrown: unknown) => thrown
	);

test('an answer is its body', async () => {
	const response = new Response(null, { status: 200 });
	await expect(answerOf(Promise.resolve({ data: { a: 1 }, response }))).resolves.toEqual({ a: 1 });
});

test('no answer says that the service cannot be reached', async () => {
	const thrown = await answerOf(Promise.resolve({})).catch((error: unknown) => error);
	expect(thrown).toBeInstanceOf(Refusal);
	expect(thrown).toMatchObject({ status: 0, problem: null, code: null });
	expect(wordsOf(thrown)).toBe(t.errors.unreachable);
});

test.each(['<html>', null, undefined, {}, { code: 'x' }])(
	'%j is not an answer of ours',
	async (body) => {
		expect(wordsOf(await refused(502, body))).toBe(t.errors.odd);
	}
);

test('words of this app come before those of the service', () => {
	expect(wordsOf(new Refusal(409, problem({ code: 'not_now' })))).toBe(t.problem.not_now);
});

test('the first fault is more than the detail, the detail more than the title', () => {
	const errors = [{ pointer: '/email', detail: 'That is no address.' }];
	expect(wordsOf(new Refusal(422, problem({ errors })))).toBe('That is no address.');
	expect(new Refusal(422, problem({ errors })).fault('/email')).toBe('That is no address.');
	expect(new Refusal(422, problem({ errors })).fault('/password')).toBeUndefined();
	expect(wordsOf(new Refusal(422, problem({})))).toBe('It is too long.');
	expect(wordsOf(new Refusal(422, problem({ detail: '' })))).toBe('No');
});

test('too often says when to try again', () => {
	const often = problem({ code: 'too_many_requests', status: 429, retry_after_seconds: 72 });
	expect(wordsOf(new Refusal(429, often))).toMatch(/Try again in 1 min 12 s\.$/);
});

test('a fault of ours has a number for the operator; being away has none', () => {
	const ours = problem({ code: 'internal_error', status: 500, request_id: 'r-7' });
	expect(wordsOf(new Refusal(500, ours))).toMatch(/\(Number for the operator: r-7\)$/);
	const away = problem({ code: 'unavailable', status: 503, request_id: 'r-8' });
	expect(wordsOf(new Refusal(503, away))).not.toMatch(/r-8/);
});

test('a missing key leads to the settings; nothing else does', () => {
	expect(needsKey(new Refusal(409, problem({ code: 'api_key_missing' })))).toBe(true);
	expect(needsKey(new Refusal(409, problem({})))).toBe(false);
	expect(needsKey(new Error('api_key_missing'))).toBe(false);
});

test('anything that was thrown has words', () => {
	expect(wordsOf(new Error('It broke.'))).toBe('It broke.');
	expect(wordsOf('It broke.')).toBe('It broke.');
});
