/** Keys that do something on a page. They are silent while somebody writes. */
export type Keys = Record<string, (event: KeyboardEvent) => void>;

const WRITING = 'input, textarea, select, [contenteditable], dialog[open] *';
const SEQUENCE_MS = 900;

let first = '';
let at = 0;

/** Listens on the window until undone. Keys of two letters (`g f`) are pressed one after the other. */
export function listen(keys: Keys): () => void {
	function press(event: KeyboardEvent) {
		if (event.defaultPrevented || event.altKey || event.isComposing) return;
		const combined = (event.ctrlKey || event.metaKey ? 'mod ' : '') + event.key.toLowerCase();
		const writes = event.target instanceof Element && event.target.closest(WRITING) !== null;
		if (writes && !combined.startsWith('mod ')) return;
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
