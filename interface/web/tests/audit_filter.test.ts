import { describe, expect, test } from 'vitest';
import { filterOf, isNarrow, localOf, momentOf, questionOf, sentence } from '#lib/audit_filter.ts';

const asked = (query: string) => filterOf(new URLSearchParams(query));

test('an empty address asks for everything, the newest first', () => {
	expect(isNarrow(asked(''))).toBe(false);
	expect(questionOf(asked(''))).toEqual({ order: 'desc' });
});

test('an address is asked as it stands', () => {
	const query =
		'type=spec_generated&type=plan_generated&not_type=step_started&actor=user&feature=f1' +
		'&from=2026-01-05T10:00Z&to=2026-01-06T10:00Z&problems=true&order=asc';
	expect(questionOf(asked(query))).toEqual({
		order: 'asc',
		type: ['spec_generated', 'plan_generated'],
		not_type: ['step_started'],
		actor: 'user',
		feature_id: 'f1',
		from: '2026-01-05T10:00:00.000Z',
		to: '2026-01-06T10:00:00.000Z',
		problems: true
	});
});

test.each([
	'q=a',
	'type=x',
	'not_type=x',
	'actor=user',
	'feature=f',
	'from=x',
	'to=x',
	'problems=true'
])('%s leaves something out', (query) => {
	expect(isNarrow(asked(query))).toBe(true);
});

test('an order alone leaves nothing out', () => {
	expect(isNarrow(asked('order=asc'))).toBe(false);
	expect(asked('order=sideways').order).toBe('desc');
});

test('a moment that is none is left for the service to refuse', () => {
	expect(questionOf(asked('from=soon')).from).toBe('soon');
});

describe('words of a search', () => {
	test('stand for events and people of the log', () => {
		const { q, means } = questionOf(asked('q=+Specification++planner '));
		expect(q).toBe('Specification  planner');
		expect(means).toHaveLength(2);
		const [events, people] = means ?? [];
		expect(events).toMatch(/^specification=.*\bspec_generated\b.*\bagent:spec\b/);
		expect(people).toBe('planner=agent:planner');
	});

	test('that stand for nothing are searched as they are', () => {
		expect(questionOf(asked('q=zzz'))).toEqual({ order: 'desc', q: 'zzz' });
	});

	test('are asked once', () => {
		expect(questionOf(asked('q=planner+Planner')).means).toHaveLength(1);
	});
});

test('a moment goes through a field of the page unchanged, to the minute', () => {
	expect(momentOf(localOf('2026-07-05T10:20Z'))).toBe('2026-07-05T10:20Z');
	expect(momentOf(localOf('2026-01-05T10:20:59Z'))).toBe('2026-01-05T10:20Z');
	expect(localOf('soon')).toBe('');
	expect(momentOf('')).toBe('');
});

test('a type that is not known is told by its name', () => {
	expect(sentence('spec_generated')).toBe('wrote the specification');
	expect(sentence('something_new')).toBe('something new');
});
