/**
 * An authenticated event stream that goes on where it left off.
 *
 * Invariant: what has an id comes once and in order, whatever breaks; the browser's own EventSource
 * can send no Authorization header.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** The server will not give this stream: asking again would not help. */
export class StreamRefused extends Error {
	constructor(readonly status: number) {
		super(`stream refused: ${status}`);
	}
}

export interface Frame {
	event: string;
	id: string | null;
	data: unknown;
}

/**
 * Frames until aborted; connects again by itself.
 *
 * @param token Asked before each connection, so that an expired one is never sent twice; told
 * whether the one before was refused.
 * @param onState Whether it is connected now.
 */
export async function* frames(
	url: string,
	token: (refused: boolean) => Promise<string>,
	signal: AbortSignal,
	onState: (connected: boolean) => void
): AsyncGenerator<Frame> {
	let last: string | null = null;
	let wait = 500;
	let refusedTokens = 0;
	while (!signal.aborted) {
		let told = 0;
		try {
			const headers: Record<string, string> = {
				accept: 'text/event-stream',
				authorization: `Bearer ${await token(refusedTokens > 0)}`
			};
			if (last !== null) headers['last-event-id'] = last;
			const response = await fetch(url, { signal, cache: 'no-store', headers });
			const { status } = response;
			if (status === 401 && ++refusedTokens < 3) throw new Error('a new token is needed');
			if (status >= 400 && status < 500 && status !== 429) throw new StreamRefused(status);
			if (!response.ok) told = Number(response.headers.get('retry-after')) * 1_000 || 0;
			if (response.ok && response.body) {
				refusedTokens = 0;
				onState(true);
				const arrived: EventSourceMessage[] = [];
				const parser = createParser({
					onEvent: (event) => arrived.push(event),
					onRetry: (ms) => (wait = ms)
				});
				const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
				for (;;) {
					const { done, value } = await reader.read();
					if (done) break;
					parser.feed(value);
					for (const event of arrived.splice(0)) {
						if (event.id) last = event.id;
						yield {
							event: event.event ?? 'message',
							id: event.id ?? null,
							data: JSON.parse(event.data) as unknown
						};
					}
				}
			}
		} catch (error) {
			if (signal.aborted) return;
			if (error instanceof StreamRefused) throw error;
		}
		onState(false);
		await pause(Math.max(told, wait) + Math.random() * wait, signal);
	}
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		const timer = setTimeout(resolve, ms);
		signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
	});
}
