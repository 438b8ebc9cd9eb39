import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StreamRefused, frames, type Frame } from '#lib/live/sse.ts';

let pauses: number[] = [];

beforeEach(() => {
	pauses = [];
	// No pause is waited for: each is over at once, and noted.
	vi.stubGlobal('setTimeout', (run: () => void, ms: number) => {
		pauses.push(ms);
		queueMicrotask(run);
		return 0;
	});
});
afterEach(() => vi.unstubAllGlobals());

const stream = (text: string) => new Response(text, { status: 200 });
const frame = (id: string, data: string) => `id: ${id}\nevent: feature\ndata: ${data}\n\n`;

/** Reads a stream from these answers, until so many frames have come. */
async function read(answers: (Response | Error)[], atMost: number) {
	const abort = new AbortController();
	let tooOften = false;
	const asked: Headers[] = [];
	const tokens: boolean[] = [];
	const states: boolean[] = [];
	const came: Frame[] = [];
	vi.stubGlobal('fetch', (_: string, { headers }: RequestInit) => {
		asked.push(new Headers(headers));
		const answer = answers.shift();
		if (!answer) {
			// Its own error would only be one more reason to connect again.
			tooOften = true;
			abort.abort();
		}
		return answer instanceof Response ? Promise.resolve(answer) : Promise.reject(answer);
	});
	const token = (refused: boolean) => {
		tokens.push(refused);
		return Promise.resolve(`token ${tokens.length}`);
	};
	for await (const one of frames('/live', token, abort.signal, (on) => states.push(on))) {
		came.push(one);
		if (came.length === atMost) abort.abort();
	}
	expect(tooOften, 'asked more often than there are answers').toBe(false);
	return { asked, tokens, states, came };
}

test('goes on after the last frame that came', async () => {
	const { asked, came, states } = await read(
		[stream(frame('7', '1')), new TypeError('cut'), stream(frame('8', '{"a": 2}'))],
		2
	);
	expect(came).toEqual([
		{ event: 'feature', id: '7', data: 1 },
		{ event: 'feature', id: '8', data: { a: 2 } }
	]);
	expect(asked.map((headers) => headers.get('last-event-id'))).toEqual([null, '7', '7']);
	expect(states.slice(0, 4)).toEqual([true, false, false, true]);
});

test('a frame that was cut off is not passed on, and comes whole from the next connection', async () => {
	const { came } = await read([stream('id: 1\ndata: {"a"'), stream(frame('1', '{"a": 1}'))], 1);
	expect(came).toEqual([{ event: 'feature', id: '1', data: { a: 1 } }]);
});

test('what comes without an id does not move the place to go on from', async () => {
	const { asked } = await read(
		[stream(`${frame('3', '1')}event: word\ndata: 2\n\n`), stream(frame('4', '3'))],
		3
	);
	expect(asked[1]?.get('last-event-id')).toBe('3');
});

test('waits as long as the service says', async () => {
	await read(
		[
			new Response(null, { status: 503, headers: { 'retry-after': '30' } }),
			stream(`retry: 4000\n\n${frame('1', '1')}`),
			stream(frame('2', '2'))
		],
		2
	);
	expect(pauses[0]).toBeGreaterThanOrEqual(30_000);
	expect(pauses[1]).toBeGreaterThanOrEqual(4_000);
	expect(pauses[1]).toBeLessThanOrEqual(8_000);
});

test('asks for a new token when one is refused, and sends it', async () => {
	const { tokens, asked } = await read(
		[new Response(null, { status: 401 }), stream(frame('1', '1'))],
		1
	);
	expect(tokens).toEqual([false, true]);
	expect(asked.map((headers) => headers.get('authorization'))).toEqual([
		'Bearer token 1',
		'Bearer token 2'
	]);
});

test.each([
	['not found', [404]],
	['refused three times', [401, 401, 401]]
])('gives up what is %s', async (_, statuses) => {
	const answers = statuses.map((status) => new Response(null, { status }));
	await expect(read(answers, 1)).rejects.toThrow(StreamRefused);
	expect(answers).toEqual([]);
});

test('does not give up where it was too often', async () => {
	const { came } = await read([new Response(null, { status: 429 }), stream(frame('1', '1'))], 1);
	expect(came).toHaveLength(1);
});
