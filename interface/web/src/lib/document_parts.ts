/** The parts of a document at a gate that a comment can be about, each with words for the person. */
import type { Comment, CommentKind, DocumentParts } from '#lib/api/index.ts';

export interface Target {
	/** What the service calls it: an id, a path or a name; empty for the whole. */
	name: string;
	/** What it says. */
	words: string;
}

/** Every part that is worth a comment of its own, in the order of the document. */
export function targetsOf({ spec, plan, tests }: DocumentParts): Target[] {
	const found: Target[] = [];
	for (const need of spec?.requirements ?? []) {
		found.push({ name: need.id, words: sentenceOf(need) });
		for (const one of need.criteria) found.push({ name: one.id, words: one.then });
	}
	for (const one of spec?.entities ?? []) found.push({ name: one.name, words: one.description });
	for (const one of spec?.roles ?? []) found.push({ name: one.name, words: one.may.join('; ') });
	for (const task of plan?.tasks ?? []) found.push({ name: task.id, words: task.title });
	for (const file of plan?.files ?? []) found.push({ name: file.path, words: file.purpose });
	for (const file of tests?.files ?? [])
		found.push({ name: file.path, words: (file.covers ?? []).join(', ') });
	for (const one of tests?.untestable ?? []) found.push({ name: one.id, words: one.reason });
	return found.filter((one, at) => found.findIndex((each) => each.name === one.name) === at);
}

/** A requirement as one sentence. */
export function sentenceOf(need: { actor: string; trigger: string; response: string }): string {
	return `${need.actor}: ${need.trigger} → ${need.response}`;
}

/** A comment that is not sent yet. */
export interface Draft {
	target: string;
	kind: CommentKind;
	text: string;
}

/** What of the drafts can be sent: those that say something. */
export function sayable(drafts: readonly Draft[]): Comment[] {
	return drafts
		.map((one) => ({ ...one, text: one.text.trim() }))
		.filter((one) => /[\p{L}\p{N}]/u.test(one.text));
}

/** The drafts that were kept, if they can be read. */
export function draftsIn(kept: string | null): Draft[] {
	try {
		const found: unknown = JSON.parse(kept ?? '[]');
		return Array.isArray(found) ? (found as Draft[]) : [];
	} catch {
		return [];
	}
}
