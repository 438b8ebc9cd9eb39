/**
 * What the audit page asks for, as it stands in the address.
 *
 * Invariant: the address is the only place where a filter is kept.
 */
import type { Direction } from '#lib/api/generated/index.ts';
import { EVENTS, type Agent, type EventType } from '#lib/api/lifecycle_tables.ts';
import { t } from '#lib/i18n/index.ts';
import type { Question } from './audit.svelte';

export const OLDEST: Direction = 'asc';
export const NEWEST: Direction = 'desc';
export const PERSON = 'user';
export const SYSTEM = 'system';
/** The names of filters in the address. */
export type Name =
	'q' | 'type' | 'not_type' | 'actor' | 'feature' | 'from' | 'to' | 'problems' | 'order';

export interface Filter {
	q: string;
	type: readonly string[];
	not_type: readonly string[];
	actor: string;
	feature: string;
	/** A moment, in UTC. */
	from: string;
	to: string;
	problems: boolean;
	order: Direction;
}

export function filterOf(asked: URLSearchParams): Filter {
	const word = (name: Name): string => asked.get(name) ?? '';
	return {
		q: word('q'),
		type: asked.getAll('type'),
		not_type: asked.getAll('not_type'),
		actor: word('actor'),
		feature: word('feature'),
		from: word('from'),
		to: word('to'),
		problems: word('problems') === 'true',
		order: word('order') === OLDEST ? OLDEST : NEWEST
	};
}

/** Whether anything is left out. */
export const isNarrow = (filter: Filter): boolean =>
	Boolean(
		filter.q ||
		filter.type.length ||
		filter.not_type.length ||
		filter.actor ||
		filter.feature ||
		filter.from ||
		filter.to ||
		filter.problems
	);

export function questionOf(filter: Filter): Question {
	const some = <T>(given: readonly T[]): T[] | undefined => (given.length ? [...given] : undefined);
	const question = {
		order: filter.order,
		q: filter.q.trim() || undefined,
		means: some(meaningsOf(filter.q)),
		type: some(filter.type),
		not_type: some(filter.not_type),
		actor: filter.actor || undefined,
		feature_id: filter.feature || undefined,
		from: exactly(filter.from),
		to: exactly(filter.to),
		problems: filter.problems || undefined
	};
	return Object.fromEntries(
		Object.entries(question).filter(([, value]) => value !== undefined)
	) as Question;
}

/** What an event of a type says, in a few words. */
export const sentence = (type: string): string =>
	(t.event as Record<string, string>)[type] ?? type.replaceAll('_', ' ');

/** Everybody who does something, by the name the log has for them. */
export const ACTORS: readonly (readonly [string, string])[] = [
	PERSON,
	...(Object.keys(t.agent) as Agent[]).map((agent) => `agent:${agent}`),
	SYSTEM
].map((actor) => [actor, t.actor(actor, t.agent)] as const);

/** What each word stands for in the reader's own language, as the service takes it. */
function meaningsOf(q: string): string[] {
	const words = [...new Set(q.toLowerCase().split(/\s+/).filter(Boolean))];
	return words.flatMap((word) => {
		const types = EVENTS.filter((type: EventType) => sentence(type).toLowerCase().includes(word));
		const actors = ACTORS.filter(([, name]) => name.toLowerCase().includes(word)).map(([id]) => id);
		const means = [...types, ...actors];
		return means.length ? [`${word}=${means.join(',')}`] : [];
	});
}

/** A moment as the service takes it, however much of it the address gives. */
function exactly(moment: string): string | undefined {
	const at = new Date(moment);
	return Number.isNaN(at.getTime()) ? moment || undefined : at.toISOString();
}

/** A moment as a field of the page takes it: in the reader's own time, to the minute. */
export function localOf(moment: string): string {
	const at = new Date(moment);
	if (Number.isNaN(at.getTime())) return '';
	return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export const momentOf = (local: string): string =>
	local ? `${new Date(local).toISOString().slice(0, 16)}Z` : '';
