import { expect, test } from 'vitest';
import { EVENTS } from '#lib/api/lifecycle_tables.ts';
import { entriesOf } from '#lib/log/story.ts';
import { noteOf, tell, tellOne } from '#lib/log/words.ts';
import { ended, logOf, said, started } from '../given.ts';

/** Enough of every event for its sentence. */
const ALL = {
	attempt: { step: 'spec', number: 2, epoch: 1 },
	run: { cost_usd: '0.10', seconds: 5 },
	step: 'spec',
	gate: 'spec',
	title: 'Tools',
	reason: 'the model gave no answer',
	code: 'timeout',
	verdict: 'PASS',
	recommendation: 'REVISE',
	files: ['a.ts'],
	comments: [{ text: 'Not so.' }],
	parts: 2,
	parent_version: 7,
	to_version: 3,
	round: 1,
	of: 2,
	faults: ['high F-1', 'high F-2'],
	frozen: 3,
	cost_usd: '0.40',
	why: 'no_progress'
};

test.each(EVENTS)('%s is told in one whole sentence', (type) => {
	const [event] = logOf({ ...ALL, type, by: 'agent:spec' });
	const told = event ? tellOne(event) : '';
	expect(told).toMatch(/^[A-Z].*[.!?…]$/);
	expect(told).not.toMatch(/undefined|null|NaN|\[object/);
});

test('a round of mending is announced with its number, its cost and what may change', () => {
	const [event] = logOf({ ...ALL, type: 'mending_started', by: 'agent:code_review' });
	expect(event && tellOne(event)).toBe(
		'The review found 2 things. Round 1 of 2 mends them, for about $0.40: 1 file may change, 3 may not.'
	);
});

test('an entry says how long it took, for how much, and at which attempt', () => {
	const [entry] = entriesOf(
		logOf(
			started({ step: 'spec' }),
			ended('attempt_failed', { step: 'spec' }, '0.10', 30),
			started({ step: 'spec', number: 2 }),
			ended('spec_generated', { step: 'spec', number: 2 }, '0.15', 42)
		)
	);
	expect(entry ? tell(entry) : '').toBe(
		'The specification writer wrote the specification in 1 min 12 s for $0.25, at attempt 2.'
	);
});

test('what cost nothing says nothing of money', () => {
	const [, event] = logOf(said(), ended('spec_generated', { step: 'spec' }, '0', 0));
	expect(event ? tellOne(event) : '').toBe('The specification writer wrote the specification.');
});

test('a note is read where there is one', () => {
	const [noted, plain] = logOf({ type: 'spec_approved', note: 'It will do' }, said());
	expect(noted && noteOf(noted)).toBe('It will do');
	expect(plain && noteOf(plain)).toBe('');
});
