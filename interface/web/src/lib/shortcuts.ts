/** Keys that do something on a page. They are silent while somebody writes. */
export type Keys = Record<string, (event: KeyboardEvent) => void>;

const WRITING = 'input, textarea, select, [contenteditable], dialog[open] *';
const SEQUENCE_MS = 900;

const PLACE = 'single-keys';

/** Whether keys without Control do something: who speaks to their computer may not want that. */
export function singleKeys(): boolean {
	return localStorage.getItem(PLACE) !== 'off';
}

/** Turn them on or off in this browser. */
export function chooseSingleKeys(on: boolean): void {
	localStorage.setItem(PLACE, on ? 'on' : 'off');
}

let first = '';
let at = 0;

/** Listens on the window until undone. Keys of two letters (`g f`) are pressed one after the other. */
export function listen(keys: Keys): () => void {
	function press(event: KeyboardEvent) {
		if (event.defaultPrevented || event.altKey || event.isComposing) return;
		const combined = (event.ctrlKey || event.metaKey ? 'mod ' : '') + event.key.toLowerCase();
		const writes = event.target instanceof Element && event.target.closest(WRITING) !== null;
		if (!combined.startsWith('mod ') && (writes || !singleKeys())) return;
		const sequence = event.timeStamp - at < SEQUENCE_MS ? `${first} ${combined}` : '';
		const run = keys[sequence] ?? keys[combined];
		if (run) {
			event.preventDefault();
			run(event);
		}
		if (!run || !sequence) {
			first = combined;
			at = event.timeStamp;
		}
	}
	window.addEventListener('keydown', press);
	return () => window.removeEventListener('keydown', press);
}
