/**
 * Says something to the BA agent, so that it arrives once: whatever the network or a reload does.
 *
 * Invariant: a message waits in the outbox, under its own idempotency key, until the service has
 * taken it; sent again under that key it is the same message.
 */
import { createParser } from 'eventsource-parser';
import {
	Refusal,
	answerOf,
	type AnswerFrame,
	type Delta,
	type PostMessageData
} from '#lib/api/index.ts';
import { client } from '#lib/api/generated/client.gen.ts';
import type { FeatureStore, Pending } from './feature.svelte';

const URL_OF_MESSAGES: PostMessageData['url'] = '/api/features/{feature_id}/messages';
const TRIES = 5;
const PAUSE_MS = 800;
const LONGEST_PAUSE_MS = 3_000;

const place = (feature: string): string => `outbox:${feature}`;

/** Say it now, and follow the answer. Throws Refusal when the service will not take it. */
export async function say(store: FeatureStore, text: string): Promise<void> {
	const pending: Pending = { key: crypto.randomUUID(), text, version: null };
	sessionStorage.setItem(place(store.id), JSON.stringify(pending));
	await send(store, pending);
}

/** Send what a reload interrupted, if there is anything; what is refused is given back. */
export async function sayAgain(
	store: FeatureStore,
	onRefused: (text: string, error: unknown) => void
): Promise<void> {
	const kept = sessionStorage.getItem(place(store.id));
	if (!kept) return;
	const pending = JSON.parse(kept) as Pending;
	try {
		await send(store, pending);
	} catch (error) {
		onRefused(pending.text, error);
	}
}

async function send(store: FeatureStore, pending: Pending): Promise<void> {
	store.pending = [...store.pending.filter((one) => one.key !== pending.key), pending];
	const drop = () => {
		sessionStorage.removeItem(place(store.id));
		store.pending = store.pending.filter((one) => one.key !== pending.key);
	};
	for (let attempt = 1; ; attempt += 1) {
		try {
			await post(store, pending);
			return;
		} catch (error) {
			const status = error instanceof Refusal ? error.status : null;
			// Away for a while: it waits, however long that takes.
			const away = status === 0 || status === 503;
			if (!away && (status === null || status < 500 || attempt >= TRIES)) {
				drop();
				throw error;
			}
			const pause = Math.min(PAUSE_MS * attempt, LONGEST_PAUSE_MS);
			await new Promise((resolve) => setTimeout(resolve, pause));
		}
	}
}

async function post(store: FeatureStore, pending: Pending): Promise<void> {
	let version = 0;
	const asked = client.post<{ 200: ReadableStream<Uint8Array> }, unknown>({
		url: URL_OF_MESSAGES,
		path: { feature_id: store.id },
		body: { text: pending.text },
		headers: { 'Content-Type': 'application/json', 'Idempotency-Key': pending.key },
		security: [{ scheme: 'bearer', type: 'http' }],
		parseAs: 'stream'
	});
	const stream = await answerOf(
		asked.then((answer) => {
			version = Number(answer.response?.headers.get('etag')?.replaceAll('"', '') ?? 0);
			return answer;
		})
	);
	sessionStorage.removeItem(place(store.id));
	store.pending = store.pending.map((one) => (one.key === pending.key ? { ...one, version } : one));
	void store.read(version);
	await follow(store, stream);
}

/** Pass on the words of the answer. How it ends is in the log, so a broken line loses nothing. */
async function follow(store: FeatureStore, stream: ReadableStream<Uint8Array>): Promise<void> {
	const on: Partial<Record<AnswerFrame, (data: never) => void>> = {
		delta: (data: Delta) => {
			const attempt = store.writing.converse?.attempt ?? 0;
			store.addDelta({ ...data, step: 'converse', attempt });
		}
	};
	const parser = createParser({
		onEvent: (event) => on[event.event as AnswerFrame]?.(JSON.parse(event.data) as never)
	});
	const decoder = new TextDecoder();
	try {
		const reader = stream.getReader();
		for (;;) {
			const { done, value } = await reader.read();
			if (done) break;
			parser.feed(decoder.decode(value, { stream: true }));
		}
	} catch {
		// The connection broke; the live stream and the log go on.
	} finally {
		void store.read();
	}
}
