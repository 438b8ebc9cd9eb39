/**
 * One set of live streams for all tabs of a person: one tab reads, and passes on to the others.
 *
 * Invariant: a topic has one stream over all tabs, because a browser opens six connections to a
 * service and no more. The reading tab is whoever holds the lock; when it closes, the next takes over
 * and every page reads its state again.
 */
import { session } from '#lib/api/index.ts';
import { frames, StreamRefused, type Frame } from './sse';

/** All features, or one by its id. */
export type Topic = 'all' | (string & {});

type Word =
	| { kind: 'want' | 'leave'; tab: string; topic: Topic }
	| { kind: 'lead' }
	| { kind: 'state'; connected: boolean }
	| { kind: 'frame'; topic: Topic; frame: Frame }
	| { kind: 'again'; topic: Topic };

interface Listener {
	onFrame: (frame: Frame) => void;
	/** What was missed is not known: read the state anew. */
	onAgain: () => void;
}

const REMIND_MS = 10_000;
const FORGET_MS = 25_000;
/** Streams of single features at once; the stream of all features tells the rest. */
const STREAMS_AT_MOST = 3;

class Hub {
	/** Whether what happens is heard at the moment. */
	connected = $state(false);
	#tab = crypto.randomUUID();
	#subject = '';
	#channel: BroadcastChannel | null = null;
	#listeners = new Map<Topic, Set<Listener>>();
	#leading: AbortController | null = null;
	#lockWait: AbortController | null = null;
	#streams = new Map<Topic, AbortController>();
	#wanted = new Map<Topic, Map<string, number>>();
	#reminder: ReturnType<typeof setInterval> | undefined;

	/** Listen to a topic; returns how to stop. */
	listen(topic: Topic, listener: Listener): () => void {
		this.#begin();
		const listeners = this.#listeners.get(topic) ?? new Set();
		listeners.add(listener);
		this.#listeners.set(topic, listeners);
		this.#tell({ kind: 'want', tab: this.#tab, topic });
		return () => {
			listeners.delete(listener);
			if (listeners.size === 0 && this.#listeners.get(topic) === listeners) {
				this.#listeners.delete(topic);
				this.#tell({ kind: 'leave', tab: this.#tab, topic });
			}
		};
	}

	/** End everything: another person, or nobody, is signed in now. */
	end(): void {
		clearInterval(this.#reminder);
		this.#lockWait?.abort();
		this.#leading?.abort();
		this.#leading = null;
		for (const stream of this.#streams.values()) stream.abort();
		this.#streams.clear();
		this.#wanted.clear();
		this.#channel?.close();
		this.#channel = null;
		this.#subject = '';
		this.connected = false;
	}

	constructor() {
		if (typeof document === 'undefined') return;
		document.addEventListener('visibilitychange', () => {
			if (this.#channel && !document.hidden) this.#remind();
		});
	}

	#begin(): void {
		if (this.#subject === session.subject && this.#channel) return;
		this.end();
		this.#subject = session.subject;
		const name = `bp-live-${this.#subject}`;
		this.#channel = new BroadcastChannel(name);
		this.#channel.addEventListener('message', (message: MessageEvent<Word>) =>
			this.#hear(message.data)
		);
		this.#reminder = setInterval(() => this.#remind(), REMIND_MS);
		this.#lockWait = new AbortController();
		const { signal } = this.#lockWait;
		const lead = () => this.#lead();
		if (navigator.locks) {
			navigator.locks.request(name, { signal }, lead).catch(() => undefined);
		} else {
			void lead();
		}
	}

	#lead(): Promise<void> {
		const leading = new AbortController();
		this.#leading = leading;
		this.#tell({ kind: 'lead' });
		this.#remind();
		return new Promise((resolve) =>
			leading.signal.addEventListener('abort', () => resolve(), { once: true })
		);
	}

	/** To all tabs, this one included. */
	#tell(word: Word): void {
		this.#channel?.postMessage(word);
		this.#hear(word);
	}

	#remind(): void {
		for (const topic of this.#listeners.keys()) {
			// A hidden tab gives its place up after a while, and reads anew when it is seen again.
			if (topic === 'all' || !document.hidden) this.#tell({ kind: 'want', tab: this.#tab, topic });
		}
		const now = Date.now();
		for (const [topic, tabs] of this.#wanted) {
			for (const [tab, seen] of tabs) if (now - seen > FORGET_MS) tabs.delete(tab);
			if (tabs.size === 0) this.#close(topic);
		}
	}

	#hear(word: Word): void {
		switch (word.kind) {
			case 'want':
				if (this.#leading) this.#want(word.topic, word.tab);
				break;
			case 'leave':
				this.#wanted.get(word.topic)?.delete(word.tab);
				if (this.#wanted.get(word.topic)?.size === 0) this.#close(word.topic);
				break;
			case 'lead':
				for (const topic of this.#listeners.keys()) {
					this.#channel?.postMessage({ kind: 'want', tab: this.#tab, topic } satisfies Word);
				}
				break;
			case 'state':
				this.connected = word.connected;
				break;
			case 'frame':
				for (const one of this.#listeners.get(word.topic) ?? []) one.onFrame(word.frame);
				break;
			case 'again':
				for (const one of this.#listeners.get(word.topic) ?? []) one.onAgain();
				break;
		}
	}

	#want(topic: Topic, tab: string): void {
		const tabs = this.#wanted.get(topic) ?? new Map<string, number>();
		const isNew = !tabs.has(tab);
		tabs.set(tab, Date.now());
		this.#wanted.delete(topic);
		this.#wanted.set(topic, tabs);
		if (!this.#streams.has(topic)) {
			const features = [...this.#streams.keys()].filter((open) => open !== 'all');
			const oldest = features.length >= STREAMS_AT_MOST ? features[0] : undefined;
			if (topic !== 'all' && oldest !== undefined) this.#close(oldest);
			void this.#read(topic);
		} else if (isNew) {
			// Joins a stream that has begun: what it holds may be older than what was told.
			this.#tell({ kind: 'again', topic });
			this.#tell({ kind: 'state', connected: this.connected });
		}
	}

	#close(topic: Topic): void {
		this.#wanted.delete(topic);
		this.#streams.get(topic)?.abort();
		this.#streams.delete(topic);
	}

	async #read(topic: Topic): Promise<void> {
		const stop = new AbortController();
		this.#streams.set(topic, stop);
		const url = topic === 'all' ? '/api/live' : `/api/features/${topic}/live`;
		let broken = false;
		const onState = (connected: boolean) => {
			this.#tell({ kind: 'state', connected });
			// Words without an id are not sent again, and the first connection may come after a read.
			if (connected) this.#tell({ kind: 'again', topic });
			broken = !connected;
		};
		try {
			const source = frames(url, () => session.token(), stop.signal, onState);
			for await (const frame of source) this.#tell({ kind: 'frame', topic, frame });
		} catch (error) {
			if (!(error instanceof StreamRefused)) throw error;
			this.#tell({ kind: 'again', topic });
		} finally {
			if (this.#streams.get(topic) === stop && !broken) this.#streams.delete(topic);
		}
	}
}

export const hub = new Hub();
