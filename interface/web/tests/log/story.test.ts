import { describe, expect, test } from 'vitest';
import { endOf, entriesOf, sectionsOf, type Entry } from '#lib/log/story.ts';
import { spentBy } from '#lib/log/events.ts';
import { withAnyChance, anyLog, decided, ended, logOf, said, started } from '../given.ts';

const brief = (epoch = 1) => decided('brief_confirmed', epoch);
const versions = (entries: readonly Entry[]) => entries.map((entry) => entry.versions);

describe('any log', () => {
	test('is told whole, once, in the order of its ends', () =>
		withAnyChance((random) => {
			const log = anyLog(random);
			const entries = entriesOf(log);
			const told = entries.flatMap((entry) => entry.versions);
			expect(told.toSorted((one, other) => one - other)).toEqual(log.map(({ version }) => version));
			const ends = entries.map(endOf);
			expect(ends).toEqual(ends.toSorted((one, other) => one - other));
			const cost = log.reduce((sum, event) => sum + spentBy(event.payload).cost, 0);
			const sections = sectionsOf(entries);
			expect(sections.reduce((sum, section) => sum + section.cost, 0)).toBeCloseTo(cost);
			expect(sections.flatMap((section) => section.entries)).toEqual(entries);
		}));

	test('has sections as long as they can be', () =>
		withAnyChance((random) => {
			const chapters = sectionsOf(entriesOf(anyLog(random))).map(({ chapter }) => chapter);
			expect(chapters.filter((chapter, place) => chapter === chapters[place - 1])).toEqual([]);
		}));
});

test('an empty log has no story', () => {
	expect(entriesOf([])).toEqual([]);
	expect(sectionsOf([])).toEqual([]);
});

describe('the conversation', () => {
	const talk = [
		said(),
		started({ step: 'converse' }),
		ended('agent_replied', { step: 'converse' }, '0.01'),
		said(),
		started({ step: 'converse', number: 2 }),
		ended('agent_replied', { step: 'converse', number: 2 }, '0.02')
	];

	test('is one entry until the person decides', () => {
		const [entry, decision, ...more] = entriesOf(logOf(...talk, brief()));
		expect(entry).toMatchObject({
			versions: [1, 2, 3, 4, 5, 6],
			chapter: 'talk',
			isTalk: true,
			said: 2,
			answers: 2,
			running: false
		});
		expect(entry?.cost).toBeCloseTo(0.03);
		expect(entry?.head.version).toBe(6);
		expect(decision?.versions).toEqual([7]);
		expect(more).toEqual([]);
	});

	test('after a decision is another entry', () => {
		expect(versions(entriesOf(logOf(...talk, brief(), said())))).toEqual([
			[1, 2, 3, 4, 5, 6],
			[7],
			[8]
		]);
	});

	test('is told by its words, not by the analyst beginning to read them', () => {
		const [entry] = entriesOf(logOf(said(), started({ step: 'converse' })));
		expect(entry?.head.payload.type).toBe('message_posted');
		expect(entry?.running).toBe(true);
	});
});

describe('a step', () => {
	test('is one entry over all its attempts, told by its end', () => {
		const [, entry] = entriesOf(
			logOf(
				brief(),
				started({ step: 'spec' }),
				ended('attempt_failed', { step: 'spec' }, '0.10', 5),
				started({ step: 'spec', number: 2 }),
				ended('spec_generated', { step: 'spec', number: 2 }, '0.20', 7)
			)
		);
		expect(entry).toMatchObject({
			versions: [2, 3, 4, 5],
			chapter: 'spec',
			attempts: 2,
			seconds: 12,
			running: false,
			replaced: false
		});
		expect(entry?.cost).toBeCloseTo(0.3);
		expect(entry?.head.payload.type).toBe('spec_generated');
	});

	test('that has begun and not ended runs', () => {
		const [, entry] = entriesOf(logOf(brief(), started({ step: 'spec' })));
		expect(entry).toMatchObject({ running: true, replaced: false, attempts: 1 });
	});

	test('does not run between two attempts', () => {
		const log = logOf(
			brief(),
			started({ step: 'spec' }),
			ended('attempt_failed', { step: 'spec' })
		);
		expect(entriesOf(log)[1]).toMatchObject({ running: false, replaced: false });
	});

	test('beside another stands where it ended', () => {
		const log = logOf(
			brief(),
			started({ step: 'security_review' }),
			started({ step: 'code_review' }),
			ended('code_reviewed', { step: 'code_review' }),
			ended('security_reviewed', { step: 'security_review' })
		);
		expect(versions(entriesOf(log))).toEqual([[1], [3, 4], [2, 5]]);
	});

	test('that has its result takes nothing more: what comes late stands by itself', () => {
		const log = logOf(
			started({ step: 'spec' }),
			ended('spec_generated', { step: 'spec' }),
			ended('run_discarded', { step: 'spec' })
		);
		expect(versions(entriesOf(log))).toEqual([[1, 2], [3]]);
	});

	test('of another epoch is an entry of its own', () => {
		const log = logOf(
			brief(1),
			started({ step: 'spec', epoch: 1 }),
			ended('spec_generated', { step: 'spec', epoch: 1 }),
			decided('brief_revised', 2),
			started({ step: 'spec', epoch: 2 }),
			ended('spec_generated', { step: 'spec', epoch: 2 })
		);
		expect(versions(entriesOf(log))).toEqual([[1], [2, 3], [4], [5, 6]]);
	});
});

describe('a decision while an agent works', () => {
	const cut = [brief(1), started({ step: 'spec' }), decided('brief_revised', 2)];

	test('takes its place', () => {
		expect(entriesOf(logOf(...cut))[1]).toMatchObject({ running: false, replaced: true });
	});

	test('makes its answer a late one, which is paid for in the same entry', () => {
		const log = logOf(...cut, ended('run_discarded', { step: 'spec' }, '0.40'));
		const entry = entriesOf(log).at(-1);
		expect(entry).toMatchObject({ versions: [2, 4], cost: 0.4, replaced: true, running: false });
		expect(entry?.head.payload.type).toBe('run_discarded');
	});
});

test('a late answer of an earlier attempt does not end the one that runs', () => {
	const [, entry] = entriesOf(
		logOf(
			brief(),
			started({ step: 'spec' }),
			started({ step: 'spec', number: 2 }),
			ended('run_discarded', { step: 'spec', number: 1 }, '0.10')
		)
	);
	expect(entry).toMatchObject({ versions: [2, 3, 4], running: true, attempts: 2, cost: 0.1 });
	expect(entry?.head.version).toBe(3);
});

test('what a fork brought along is part of the fork', () => {
	const log = logOf(
		decided('feature_forked', 1, { parts: 2, parent_version: 7 }),
		{ type: 'part_carried' },
		{ type: 'part_carried' },
		started({ step: 'plan' })
	);
	const entries = entriesOf(log);
	expect(versions(entries)).toEqual([[1, 2, 3], [4]]);
	expect(entries[0]?.head.payload.type).toBe('feature_forked');
});

test('going back leads to the chapter where it stood then', () => {
	const status = 'spec_ready';
	const log = logOf(
		brief(1),
		started({ step: 'plan' }),
		ended('plan_generated', { step: 'plan' }),
		decided('feature_replayed', 2, { to_version: 1, restored: { status } })
	);
	expect(entriesOf(log).map(({ chapter }) => chapter)).toEqual(['talk', 'plan', 'spec']);
});
