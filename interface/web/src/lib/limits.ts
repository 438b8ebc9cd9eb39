/**
 * How long texts may be, as the service has it: a longer one is kept, counted, and refused on sending.
 *
 * Invariant: nothing that a person typed or pasted is ever cut.
 */

export const LONGEST_BRIEF = 40_000;
export const LONGEST_MESSAGE = 20_000;
export const LONGEST_NOTE = 2_000;
export const LONGEST_COMMENT = 2_000;

/** Characters as the service counts them: an emoji is one, not two. */
export function lengthOf(text: string): number {
	let count = 0;
	for (const _ of text) count += 1;
	return count;
}
