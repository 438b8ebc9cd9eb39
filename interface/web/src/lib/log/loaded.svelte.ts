/**
 * The part of a feature's log that has been read so far, page by page.
 *
 * Invariant: what is loaded has no holes: it is the log from its first event to some version.
 */
import { answerOf, listEvents, type EventView } from '#lib/api/index.ts';

const PAGE = 200;

export class LoadedLog {
	events = $state.raw<readonly EventView[]>([]);
	/** Whether there was more when it was last asked for. */
	hasMore = $state(true);
	error = $state<unknown>(null);
	/** Where the last page that was read began. */
	#cursor: string | undefined;
	#next: string | undefined;
	#reading: Promise<void> | null = null;

	constructor(readonly feature: string) {}

	get last(): number {
		return this.events.at(-1)?.version ?? 0;
	}

	/** Read the next page; calls at the same time become one. */
	more(): Promise<void> {
		this.#reading ??= this.#page().finally(() => (this.#reading = null));
		return this.#reading;
	}

	/** Read what has been added, if all that was there before has been read. */
	async freshen(version: number): Promise<void> {
		if (this.last === 0 || (!this.hasMore && version > this.last)) await this.more();
	}

	/** Read on until this is true of what is loaded, or there is no more; whether it is. */
	async until(found: () => boolean): Promise<boolean> {
		while (!found() && this.hasMore && !this.error) await this.more();
		return found();
	}

	async #page(): Promise<void> {
		const cursor = this.#next ?? this.#cursor;
		try {
			const path = { feature_id: this.feature };
			const page = await answerOf(listEvents({ path, query: { limit: PAGE, cursor } }));
			const fresh = page.items.filter((event) => event.version > this.last);
			if (fresh.length > 0) this.events = [...this.events, ...fresh];
			this.#cursor = cursor;
			this.#next = page.next_cursor ?? undefined;
			this.hasMore = page.next_cursor !== null;
			this.error = null;
		} catch (thrown) {
			this.error = thrown;
		}
	}
}
