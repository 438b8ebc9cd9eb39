/**
 * One feature as its page shows it: read from the service, kept fresh by its live stream.
 *
 * Invariant: what is shown is what the service answered, never what this page believes has happened;
 * an event only says that it is time to read again.
 */
import {
	type FeatureChange as Change,
	Refusal,
	answerOf,
	isWorking,
	listMessages,
	listRuns,
	readFeature,
	workOf,
	type FeatureView,
	type Gate,
	type MessageView,
	type PassingWord,
	type RunItem,
	type Step
} from '#lib/api/index.ts';
import { hub } from './hub.svelte';
import type { Frame } from './sse';
import {
	fresh,
	withDelta,
	withFile,
	withTurn,
	type Delta,
	type WrittenFile,
	type Writing
} from './writing';

const PAGE = 200;
const AGAIN_MS = 1_000;
/** How often in a row a reading may fail before the page says so; it goes on trying. */
const SILENT_FAILURES = 2;

/** What the stream says without an id: passing words, kept nowhere. */
const PASSING: Record<PassingWord, (store: FeatureStore, data: never) => void> = {
	delta: (store, data: Delta & { step: Step; attempt: number }) => store.addDelta(data),
	file: (store, data: WrittenFile & { step: Step; attempt: number }) =>
		store.write(data.step, data.attempt, (now) => withFile(now, data)),
	progress: (store, data: { step: Step; attempt: number; words: string }) =>
		store.write(data.step, data.attempt, (now) => withTurn(now, data.words))
};

export interface Pending {
	key: string;
	text: string;
	/** The version that holds it, once the service has said so. */
	version: number | null;
}

/** The version that each feature has at least, because this tab led to it: nothing older is shown. */
const reached = new Map<string, number>();

/** Say what a command led to, before another page shows the feature. */
export function haveReached(id: string, version: number): void {
	reached.set(id, Math.max(version, reached.get(id) ?? 0));
}

export class FeatureStore {
	/** As it is now. */
	present = $state.raw<FeatureView | null>(null);
	/** The version that is looked at; null is the present. */
	at = $state<number | null>(null);
	#past = $state.raw<FeatureView | null>(null);
	/** As it is, or was: what the page shows. */
	view = $derived(this.at === null ? this.present : (this.#past ?? this.present));
	messages = $state.raw<readonly MessageView[]>([]);
	runs = $state.raw<readonly RunItem[]>([]);
	/** The fingerprint of each document that was shown at its gate when this page came to it. */
	opened = $state.raw<Readonly<Partial<Record<Gate, string>>>>({});
	writing = $state.raw<Readonly<Partial<Record<Step, Writing>>>>({});
	/** Why there is nothing to show. */
	refusal = $state.raw<Refusal | null>(null);
	/** There is no such feature, or none any more. */
	isMissing = $derived(this.refusal?.status === 404 || this.refusal?.code === 'invalid_request');
	/** Messages on their way that the log does not hold yet. */
	pending = $state.raw<readonly Pending[]>([]);
	#reading: Promise<void> | null = null;
	#wanted = 0;
	#stop: (() => void) | null = null;
	#again: ReturnType<typeof setTimeout> | undefined;
	#stale = false;
	#failures = 0;

	constructor(readonly id: string) {}

	/** Begin to listen, and read at least this version. */
	open(version = 0): void {
		this.#stop ??= hub.listen(this.id, {
			onFrame: (frame) => this.#onFrame(frame),
			onAgain: () => this.#catchUp(),
			onSetBack: () => this.#forget()
		});
		void this.read(Math.max(version, reached.get(this.id) ?? 0));
	}

	close(): void {
		clearTimeout(this.#again);
		this.#stop?.();
		this.#stop = null;
	}

	/** Read until at least this version is shown; several calls become one. */
	read(version = 0): Promise<void> {
		this.#wanted = Math.max(this.#wanted, version);
		this.#reading ??= this.#readAll().finally(() => (this.#reading = null));
		return this.#reading;
	}

	/** Read what this page itself has led to: that another text stands there now is no surprise. */
	async follow(version: number): Promise<void> {
		await this.read(version);
		this.opened = {};
	}

	get isAnswering(): boolean {
		return this.present?.in_progress.some((one) => workOf(one.step)?.agent === 'ba') ?? false;
	}

	addDelta(delta: Delta & { step: Step; attempt: number }): void {
		this.write(delta.step, delta.attempt, (now) => withDelta(now, delta));
	}

	write(step: Step, attempt: number, change: (now: Writing) => Writing): void {
		const now = this.writing[step];
		const base = now && now.attempt >= attempt ? now : fresh(step, attempt);
		if (now && now.attempt > attempt) return;
		this.writing = { ...this.writing, [step]: change(base) };
	}

	/** Look at it as it was at a version; null comes back to the present. */
	travel(version: number | null): void {
		if (version === this.at) return;
		this.at = version;
		if (version === null) this.#past = null;
		if (this.present) void this.#look();
	}

	get isPast(): boolean {
		return this.at !== null && this.at < (this.present?.version ?? 0);
	}

	/** Read what is looked at now; of several in a row only the last is shown. */
	async #look(): Promise<void> {
		this.#stale = true;
		await this.read();
	}

	/** When an attempt that runs now began, or null if that is not known. */
	startOf(step: Step): string | null {
		const open = this.runs.findLast((run) => run.step === step && run.outcome === 'running');
		return open?.started_at ?? null;
	}

	#onFrame(frame: Frame): void {
		const passing = PASSING[frame.event as PassingWord];
		if (passing) {
			passing(this, frame.data as never);
		} else if (frame.id !== null) {
			const { version } = frame.data as Change;
			void this.read(version);
		}
	}

	/** The service was set back: what this page has led to may be gone, and is not waited for. */
	#forget(): void {
		reached.clear();
		this.#wanted = 0;
		this.pending = this.pending.filter(({ version }) => version === null);
		this.writing = {};
		this.travel(null);
	}

	/** A stream begins now: what happened before is read. */
	#catchUp(): void {
		this.#stale = true;
		void this.read();
	}

	async #readAll(): Promise<void> {
		for (;;) {
			const version = this.#wanted;
			this.#stale = false;
			await this.#readOnce(version);
			if (this.#wanted <= version && !this.#stale) return;
		}
	}

	async #readOnce(version: number): Promise<void> {
		const path = { feature_id: this.id };
		const query = version > 0 ? { min_version: version } : {};
		try {
			const view = await answerOf(readFeature({ path, query }));
			const at = this.at !== null && this.at < view.version ? this.at : null;
			const moment = at === null ? query : { version: at };
			const [messages, runs, past] = await Promise.all([
				allPages((cursor) =>
					answerOf(listMessages({ path, query: { ...moment, limit: PAGE, cursor } }))
				),
				allPages((cursor) =>
					answerOf(listRuns({ path, query: { ...moment, limit: PAGE, cursor } }))
				),
				at === null ? null : answerOf(readFeature({ path, query: { version: at } }))
			]);
			this.messages = messages;
			this.runs = runs;
			this.#past = past;
			this.present = view;
			this.refusal = null;
			this.#failures = 0;
			this.#settle(view);
		} catch (error) {
			if (!(error instanceof Refusal)) throw error;
			this.#failures += 1;
			const passing = error.status >= 500 || error.status === 0 || error.status === 429;
			if (!passing || this.#failures > SILENT_FAILURES) this.refusal = error;
			const told = (error.problem?.retry_after_seconds ?? 0) * 1_000;
			const pause = Math.max(AGAIN_MS, told);
			if (passing && this.#stop) this.#again = setTimeout(() => void this.read(), pause);
		}
	}

	/** Forget what was being written where nothing is being written any more. */
	#settle(view: FeatureView): void {
		const alive = new Set<Step>(view.in_progress.map((one) => one.step));
		const kept = Object.entries(this.writing).filter(
			([step, now]) => alive.has(step as Step) || (isWorking(view.status) && now.files.length > 0)
		);
		this.writing = Object.fromEntries(kept);
		this.pending = this.pending.filter(({ version }) => version === null || version > view.version);
	}
}

interface Page<T> {
	items: readonly T[];
	next_cursor: string | null;
}

/** All items of a list, page by page. */
export async function allPages<T>(
	read: (cursor: string | undefined) => Promise<Page<T>>
): Promise<T[]> {
	const items: T[] = [];
	let cursor: string | undefined;
	do {
		const page = await read(cursor);
		items.push(...page.items);
		cursor = page.next_cursor ?? undefined;
	} while (cursor !== undefined);
	return items;
}
