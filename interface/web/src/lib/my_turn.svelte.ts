/**
 * Says in the title of the tab, and in a notification if somebody wants that, that work has come to
 * where a person decides, while they look at something else.
 *
 * Invariant: nothing is said of what a person sees happen, and nothing of it leaves this browser.
 */
import { t } from '#lib/i18n/index.ts';
import { hub } from '#lib/live/hub.svelte.ts';
import type { Frame } from '#lib/live/sse.ts';

const PLACE = 'my-turn';
/** Events after which nobody works on until a person decides. */
const MINE: ReadonlySet<string> = new Set([
	'spec_generated',
	'plan_generated',
	'tests_generated',
	'agent_replied',
	'feature_failed',
	'mending_stopped',
	'verdict_reached'
]);
/** An agent goes on after all: the code that failed its review is mended. */
const GOES_ON: ReadonlySet<string> = new Set(['mending_started', 'work_resumed']);

interface Change {
	feature_id: string;
	/** The tag of the event. */
	type: string;
}

class MyTurn {
	/** The features that came to a person's turn since this tab was looked at. */
	waiting = $state.raw<ReadonlySet<string>>(new Set());
	/** Whether the browser shows a notification. */
	notifies = $state(false);

	constructor() {
		if (typeof localStorage === 'undefined') return;
		this.notifies = localStorage.getItem(PLACE) === 'on' && allowed();
	}

	/** What stands before a page's title. */
	get mark(): string {
		return this.waiting.size > 0 ? `(${this.waiting.size}) ` : '';
	}

	/** Listen; returns how to stop. */
	open(): () => void {
		const stop = hub.listen('all', { onFrame: (frame) => this.#hear(frame), onAgain: () => {} });
		const seen = () => {
			if (!document.hidden) this.waiting = new Set();
		};
		document.addEventListener('visibilitychange', seen);
		return () => {
			document.removeEventListener('visibilitychange', seen);
			stop();
		};
	}

	/** Ask for what the browser asks the person for. */
	async choose(wanted: boolean): Promise<void> {
		if (wanted && !allowed()) await Notification.requestPermission();
		this.notifies = wanted && allowed();
		localStorage.setItem(PLACE, this.notifies ? 'on' : 'off');
	}

	#hear({ event, data }: Frame): void {
		if (!document.hidden || event !== 'change') return;
		const { feature_id: feature, type } = data as Change;
		if (GOES_ON.has(type)) this.waiting = new Set([...this.waiting].filter((id) => id !== feature));
		if (!MINE.has(type) || this.waiting.has(feature)) return;
		this.waiting = new Set([...this.waiting, feature]);
		if (!this.notifies) return;
		const note = new Notification(t.myTurn.title, { body: t.myTurn.body, tag: feature });
		note.addEventListener('click', () => {
			window.focus();
			location.assign(`/app/features/${feature}`);
		});
	}
}

/** Whether this browser may show notifications; some know none. */
export const canNotify = (): boolean => typeof Notification !== 'undefined';

function allowed(): boolean {
	return canNotify() && Notification.permission === 'granted';
}

export const myTurn = new MyTurn();
