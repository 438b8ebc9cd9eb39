/** Entries and events of a log, in sentences. */
import type { EventView } from '#lib/api/generated/index.ts';
import { workOf } from '#lib/api/lifecycle_tables.ts';
import { duration, money } from '#lib/format.ts';
import { t } from '#lib/i18n/index.ts';
import { spentBy, stepOf } from './events.ts';
import type { Entry } from './story.ts';

const SECOND = 1;

type Telling = Pick<
	Entry,
	'head' | 'cost' | 'seconds' | 'attempts' | 'replaced' | 'said' | 'answers'
>;

export function tell(entry: Telling): string {
	const { head } = entry;
	const step = stepOf(head.payload);
	const agent = step === null ? undefined : workOf(step)?.agent;
	return t.story.sentence(head.payload, {
		who: t.story.subject(head.actor, t.agent),
		agent: t.story.subject(agent ? `agent:${agent}` : head.actor, t.agent),
		did: t.event[head.payload.type],
		attempts: entry.attempts,
		replaced: entry.replaced,
		said: entry.said,
		answers: entry.answers,
		spent: t.story.spent(
			entry.seconds >= SECOND ? duration(entry.seconds) : '',
			entry.cost > 0 ? money(String(entry.cost)) : ''
		)
	});
}

/** One event by itself. */
export function tellOne(head: EventView): string {
	const { payload } = head;
	const number = 'attempt' in payload ? payload.attempt.number : 1;
	return tell({
		head,
		...spentBy(payload),
		attempts: number,
		replaced: false,
		said: 1,
		answers: 0
	});
}

/** What a person wrote down with a decision; empty if nothing. */
export const noteOf = ({ payload }: EventView): string =>
	'note' in payload ? (payload.note ?? '') : '';
