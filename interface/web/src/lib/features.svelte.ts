/**
 * The features of the tenant, newest first, as the dashboard and the command palette show them.
 *
 * Invariant: rows come from the service; a change that is told only says which list to read again.
 */
import {
	answerOf,
	isWorking,
	listFeatures,
	type DashboardRow,
	type FeaturePage,
	type Status
} from '#lib/api/index.ts';
import { t } from '#lib/i18n/index.ts';
import { hub } from '#lib/live/hub.svelte.ts';

const PAGE = 50;
const LARGEST_PAGE = 200;
const CALM_MS = 150;

class Features {
	rows = $state.raw<readonly DashboardRow[] | null>(null);
	next = $state<string | null>(null);
	error = $state<unknown>(null);
	/** How many features there are that only a newer version of the service can show. */
	unread = $state(0);
	/** What agents have just finished, for those who do not see it change. */
	news = $state('');
	#filter: { q?: string; status?: Status } = {};
	#timer: ReturnType<typeof setTimeout> | undefined;
	#turn = 0;
	/** How many rows are to be shown, if there are as many. */
	#wanted = PAGE;

	/** Listen and read; returns how to stop. */
	open(): () => void {
		const soon = () => this.#soon();
		const stop = hub.listen('all', { onFrame: soon, onAgain: soon });
		void this.read();
		return () => {
			clearTimeout(this.#timer);
			stop();
		};
	}

	filter(filter: { q?: string; status?: Status }): void {
		this.#filter = filter;
		this.#wanted = PAGE;
		void this.read();
	}

	async read(): Promise<void> {
		const turn = ++this.#turn;
		const wanted = this.#wanted;
		const rows: DashboardRow[] = [];
		let next: string | null = null;
		let unread = 0;
		try {
			// As many as are shown, however many pages that takes: nothing below the reader vanishes.
			do {
				const limit = Math.min(LARGEST_PAGE, wanted - rows.length);
				const query = { ...this.#filter, limit, ...(next ? { cursor: next } : {}) };
				const page: FeaturePage = await answerOf(listFeatures({ query }));
				if (turn !== this.#turn) return;
				rows.push(...page.items);
				unread += (page.unread ?? []).length;
				next = page.next_cursor;
			} while (next && rows.length < wanted);
			this.news = finished(this.rows ?? [], rows) || this.news;
			this.rows = rows;
			this.next = next;
			this.unread = unread;
			this.error = null;
		} catch (error) {
			if (turn === this.#turn) this.error = error;
		}
	}

	/** A page more. A change that is told meanwhile reads the list again, and as far. */
	async more(): Promise<void> {
		if (!this.next) return;
		this.#wanted = (this.rows?.length ?? 0) + PAGE;
		await this.read();
	}

	/** Another person signs in: nothing of the one before stays. */
	clear(): void {
		this.rows = null;
		this.next = null;
		this.unread = 0;
		this.#wanted = PAGE;
		this.news = '';
	}

	#soon(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.read(), CALM_MS);
	}
}

/** Which features stopped being worked on, in words. */
function finished(before: readonly DashboardRow[], now: readonly DashboardRow[]): string {
	const worked = new Set(before.filter((row) => isWorking(row.status)).map((row) => row.id));
	return now
		.filter((row) => worked.has(row.id) && !isWorking(row.status))
		.map((row) => `${row.title || t.dashboard.untitled}: ${t.status[row.status]}`)
		.join('. ');
}

export const features = new Features();
