/**
 * The tenant's log as the audit page shows it: read page by page, kept in short stretches.
 *
 * Invariant: what is shown answers one and the same question; an answer to another is dropped.
 */
import {
	answerOf,
	listAllEvents,
	type AuditEntry,
	type ListAllEventsData
} from '#lib/api/index.ts';

export const PAGE = 200;
const STRETCH = 25;
export type Question = NonNullable<ListAllEventsData['query']>;

/** A few rows in a row: what is drawn, or left out, together. */
export interface Stretch {
	/** Place of its first row in the whole list, from 0. */
	first: number;
	rows: readonly AuditEntry[];
}

export class AuditList {
	stretches = $state.raw<readonly Stretch[] | null>(null);
	titles = $state.raw<Readonly<Record<string, string>>>({});
	/** Set where the search stopped looking before the log ended: when that was. */
	searchedTo = $state<string | null>(null);
	next = $state<string | null>(null);
	busy = $state(false);
	error = $state<unknown>(null);
	/** Whether something was recorded that is not shown yet. */
	stale = $state(false);
	#question: Question = {};
	#turn = 0;

	get length(): number {
		const last = this.stretches?.at(-1);
		return last ? last.first + last.rows.length : 0;
	}

	/** Begin anew. */
	async ask(question: Question): Promise<void> {
		this.#question = question;
		const mine = ++this.#turn;
		this.error = null;
		this.busy = true;
		await this.#read(mine, undefined);
	}

	again = (): Promise<void> => this.ask(this.#question);

	/** Read on where the list ends. */
	async more(): Promise<void> {
		if (!this.next || this.busy) return;
		this.busy = true;
		await this.#read(this.#turn, this.next);
	}

	async #read(mine: number, cursor: string | undefined): Promise<void> {
		try {
			const query = { ...this.#question, limit: PAGE, ...(cursor ? { cursor } : {}) };
			const found = await answerOf(listAllEvents({ query }));
			if (mine !== this.#turn) return;
			const before = cursor ? (this.stretches ?? []) : [];
			const shown = cursor ? this.length : 0;
			this.stretches = [...before, ...stretched(found.items, shown)];
			this.titles = cursor ? { ...this.titles, ...found.titles } : found.titles;
			this.searchedTo = found.searched_to ?? null;
			this.next = found.next_cursor;
			if (!cursor) this.stale = false;
		} catch (thrown) {
			if (mine === this.#turn) this.error = thrown;
		} finally {
			if (mine === this.#turn) this.busy = false;
		}
	}
}

function stretched(rows: readonly AuditEntry[], shown: number): Stretch[] {
	const made: Stretch[] = [];
	for (let at = 0; at < rows.length; at += STRETCH) {
		made.push({ first: shown + at, rows: rows.slice(at, at + STRETCH) });
	}
	return made;
}
