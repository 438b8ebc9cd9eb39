/**
 * Folds a log into a story: one entry for what people would tell in one sentence.
 *
 * Invariant: every event is in exactly one entry, and entries stand in the order in which they came
 * to what is now their end.
 */
import type { EventView } from '#lib/api/generated/index.ts';
import { stageAt, workOf, type Status } from '#lib/api/lifecycle_tables.ts';
import {
	attemptOf,
	chapterOf,
	effortOf,
	endsWhatRuns,
	isTalk,
	kindOf,
	spentBy,
	stepOf,
	type Chapter,
	type Kind
} from './events.ts';

export interface Entry {
	/** The event that its sentence is about. */
	head: EventView;
	/** Versions of the events that are folded into it, in order. */
	versions: number[];
	chapter: Chapter;
	/** Dollars, of all attempts together. */
	cost: number;
	seconds: number;
	attempts: number;
	/** It has begun, and has not ended. */
	running: boolean;
	/** It had begun when something newer took its place. */
	replaced: boolean;
	/** How often a person said something, and was answered. */
	said: number;
	answers: number;
	isTalk: boolean;
}

export interface Section {
	chapter: Chapter;
	entries: Entry[];
	cost: number;
	seconds: number;
}

/** The entries of a log, or of its beginning; `events` stand in order. */
export function entriesOf(events: readonly EventView[]): Entry[] {
	const entries: Entry[] = [];
	const efforts = new Map<string, Entry>();
	let chapter: Chapter = 'talk';
	let talk: Entry | null = null;
	let whole: Entry | null = null;

	for (const event of events) {
		const { payload } = event;
		const kind = kindOf(payload);
		const effort = effortOf(payload);
		chapter = nextChapter(chapter, event);
		let entry: Entry | null | undefined;
		if (kind === 'part') entry = whole;
		else if (isTalk(payload)) entry = talk;
		else if (kind !== 'decision' && effort !== null) entry = efforts.get(effort);
		if (!entry) {
			entry = fresh(event, chapter);
			entries.push(entry);
		}
		take(entry, event, kind);
		if (entry.isTalk) talk = entry;
		else if (kind === 'start' && effort !== null) efforts.set(effort, entry);
		else if (effort !== null && !entry.running && kind !== 'miss') efforts.delete(effort);
		if (kind === 'decision') {
			talk = null;
			whole = entry;
		}
		if (endsWhatRuns(payload)) entries.forEach(replace);
	}
	return entries.sort((one, other) => endOf(one) - endOf(other));
}

/** Entries in a row that belong to the same part of the work. */
export function sectionsOf(entries: readonly Entry[]): Section[] {
	const sections: Section[] = [];
	for (const entry of entries) {
		let section = sections.at(-1);
		if (section?.chapter !== entry.chapter) {
			section = { chapter: entry.chapter, entries: [], cost: 0, seconds: 0 };
			sections.push(section);
		}
		section.entries.push(entry);
		section.cost += entry.cost;
		section.seconds += entry.seconds;
	}
	return sections;
}

export const endOf = (entry: Entry): number => entry.versions.at(-1) ?? 0;

function nextChapter(now: Chapter, { payload }: EventView): Chapter {
	const step = stepOf(payload);
	const stage = kindOf(payload) === 'start' && step !== null ? workOf(step)?.stage : null;
	// Going back leads to where it stood then.
	const back = 'restored' in payload ? chapterAt(payload.restored.status) : null;
	return chapterOf(payload) ?? back ?? stage ?? now;
}

const chapterAt = (status: Status | null | undefined): Chapter =>
	(status ? stageAt(status) : null) ?? 'talk';

function fresh(head: EventView, chapter: Chapter): Entry {
	return {
		head,
		versions: [],
		chapter,
		cost: 0,
		seconds: 0,
		attempts: 0,
		running: false,
		replaced: false,
		said: 0,
		answers: 0,
		isTalk: isTalk(head.payload)
	};
}

function take(entry: Entry, event: EventView, kind: Kind): void {
	const { payload } = event;
	const spent = spentBy(payload);
	entry.versions.push(event.version);
	entry.cost += spent.cost;
	entry.seconds += spent.seconds;
	if (kind === 'part') return;
	// A late answer to an earlier attempt says nothing about the one that runs now.
	const isStale = kind === 'late' && attemptOf(entry.head.payload) !== attemptOf(payload);
	if (isStale && entry.running) return;
	if (kind === 'start') entry.attempts += 1;
	if (kind === 'said') entry.said += 1;
	if (kind === 'result') entry.answers += 1;
	if (kind !== 'said') entry.running = kind === 'start';
	if (kind === 'result') entry.replaced = false;
	if (!(entry.isTalk && kind === 'start')) entry.head = event;
}

function replace(entry: Entry): void {
	entry.replaced ||= entry.running;
	entry.running = false;
}
