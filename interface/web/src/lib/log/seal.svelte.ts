/**
 * Whether a feature's log is what was written, as the service finds when it computes the chain anew.
 *
 * Invariant: a version is checked once in a page's life, and a log that grows is checked again when
 * it has been quiet for a moment, or at the latest after a while: not at every event.
 */
import { answerOf, verifyEvents, type ChainReport } from '#lib/api/index.ts';

const QUIET_MS = 1_500;
const LATEST_MS = 15_000;
const AGAIN_MS = 20_000;

/** The last report of each feature that this page has looked at, and the version it is about. */
const known = new Map<string, { version: number; report: ChainReport }>();

export class Seal {
	report = $state.raw<ChainReport | null>(null);
	checking = $state(false);
	/** The last check gave no answer. */
	unknown = $state(false);
	#wanted = 0;
	#since = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#closed = false;

	constructor(readonly feature: string) {
		this.report = known.get(feature)?.report ?? null;
	}

	/** The log has come to this version. */
	head(version: number): void {
		if (version <= this.#wanted) return;
		this.#wanted = version;
		if ((known.get(this.feature)?.version ?? 0) >= version) return;
		const now = Date.now();
		if (this.report === null && !this.checking) this.#soon(0);
		else {
			this.#since ||= now;
			this.#soon(Math.max(0, Math.min(QUIET_MS, this.#since + LATEST_MS - now)));
		}
	}

	close(): void {
		this.#closed = true;
		clearTimeout(this.#timer);
	}

	#soon(ms: number): void {
		clearTimeout(this.#timer);
		if (!this.#closed) this.#timer = setTimeout(() => void this.#check(), ms);
	}

	async #check(): Promise<void> {
		if (this.checking) return this.#soon(QUIET_MS);
		const version = this.#wanted;
		this.#since = 0;
		this.checking = true;
		try {
			const report = await answerOf(verifyEvents({ path: { feature_id: this.feature } }));
			known.set(this.feature, { version: Math.max(version, report.events), report });
			this.report = report;
			this.unknown = false;
		} catch {
			this.unknown = true;
			this.#soon(AGAIN_MS);
		} finally {
			this.checking = false;
		}
	}
}
