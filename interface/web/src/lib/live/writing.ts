/**
 * What an agent is writing right now. Words come from two streams (the answer to a message, and the
 * feature's own) and may come twice, late, or from the middle.
 *
 * Invariant: the text never holds a piece twice; a piece whose beginning was missed is shown after
 * an ellipsis rather than not at all.
 */
import type { Step } from '#lib/api/index.ts';

export interface WrittenFile {
	path: string;
	size: number;
}

export interface Writing {
	step: Step;
	attempt: number;
	/** Where `text` begins in the whole answer: above 0 if its beginning was missed. */
	begins: number;
	text: string;
	words: string;
	/** Where in the whole answer the agent took up the pen again. */
	turns: readonly number[];
	files: readonly WrittenFile[];
}

export interface Delta {
	step?: Step;
	attempt?: number;
	offset: number;
	text: string;
}

export const fresh = (step: Step, attempt: number): Writing => ({
	step,
	attempt,
	begins: 0,
	text: '',
	words: '',
	turns: [],
	files: []
});

/** The writing after one more piece. */
export function withDelta(now: Writing, delta: Delta): Writing {
	const end = now.begins + now.text.length;
	if (now.text === '') return { ...now, begins: delta.offset, text: delta.text };
	if (delta.offset === end) return { ...now, text: now.text + delta.text };
	if (delta.offset > end) return { ...now, begins: delta.offset, text: delta.text };
	const from = delta.offset - now.begins;
	const known = from >= 0 && now.text.startsWith(delta.text, from);
	if (known) return now;
	if (from >= 0 && delta.text.startsWith(now.text.slice(from))) {
		return { ...now, text: now.text.slice(0, from) + delta.text };
	}
	// It began anew: what stood there before does not count.
	return delta.offset === 0 ? { ...now, begins: 0, text: delta.text } : now;
}

/** The writing with a file that appeared, or grew. */
export function withFile(now: Writing, file: WrittenFile): Writing {
	const others = now.files.filter((one) => one.path !== file.path);
	return { ...now, files: [...others, file] };
}

/** The writing after the agent begins another turn: what follows is a paragraph of its own. */
export function withTurn(now: Writing, words: string): Writing {
	const end = now.begins + now.text.length;
	const turns = now.text === '' || now.turns.at(-1) === end ? now.turns : [...now.turns, end];
	return { ...now, words, turns };
}

/** The last of what is being written, at most so many characters, turn by turn. */
export function paragraphs(now: Writing, atMost: number): string[] {
	const from = Math.max(0, now.text.length - atMost);
	const cuts = now.turns.map((at) => at - now.begins).filter((at) => at > from);
	return [from, ...cuts].map((at, place) => now.text.slice(at, cuts[place]));
}
