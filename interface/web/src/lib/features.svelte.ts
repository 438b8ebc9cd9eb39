/**
 * The features of the tenant, newest first, as the dashboard and the command palette show them.
 *
 * Invariant: rows come from the service; a change that is told only says which list to read again.
 */
import { answerOf, listFeatures, type DashboardRow, type Status } from '#lib/api/index.ts';
import { hub } from '#lib/live/hub.svelte.ts';

const PAGE = 50;
const CALM_MS = 150;

class Features {
	rows = $state.raw<readonly DashboardRow[] | null>(null);
	next = $state<string | null>(null);
	error = $state<unknown>(null);
	#filter: { q?: string; status?: Status } = {};
	#timer: ReturnType<typeof setTimeout> | undefined;
	#turn = 0;

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
		void this.read();
	}

	async read(): Promise<void> {
		const turn = ++this.#turn;
		const limit = Math.min(200, Math.max(PAGE, this.rows?.length ?? 0));
		try {
			const page = await answerOf(listFeatures({ query: { ...this.#filter, limit } }));
			if (turn !== this.#turn) return;
			this.rows = page.items;
			this.next = page.next_cursor;
			this.error = null;
		} catch (error) {
			if (turn === this.#turn) this.error = error;
		}
	}

	async more(): Promise<void> {
		if (!this.next) return;
		const page = await answerOf(
			listFeatures({ query: { ...this.#filter, limit: PAGE, cursor: this.next } })
		);
		this.rows = [...(this.rows ?? []), ...page.items];
		this.next = page.next_cursor;
	}

	/** Another person signs in: nothing of the one before stays. */
	clear(): void {
		this.rows = null;
		this.next = null;
	}

	#soon(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.read(), CALM_MS);
	}
}

export const features = new Features();
