import { describe, expect, test } from 'vitest';
import { attemptOf, kindOf } from '#lib/log/events.ts';
import { lanesOf, marksOf } from '#lib/log/lanes.ts';
import { BEGIN, withAnyChance, anyLog, decided, ended, logOf, said, started } from '../given.ts';

describe('any log', () => {
	test('has its bars and points in the order of their beginnings', () =>
		withAnyChance((random) => {
			const log = anyLog(random);
			const marks = marksOf(log);
			const begins = marks.map((mark) => mark.from);
			expect(begins).toEqual(begins.toSorted((one, other) => one - other));
			for (const mark of marks) {
				expect(mark.to ?? Infinity).toBeGreaterThanOrEqual(mark.from);
				if (!mark.isBar) expect(mark.to).toBe(mark.from);
				expect(mark.fate === 'running').toBe(mark.to === null);
			}
		}));

	test('has one bar for each attempt that began, and every mark in one lane', () =>
		withAnyChance((random) => {
			const log = anyLog(random);
			const marks = marksOf(log);
			const begun = log.filter(({ payload }) => kindOf(payload) === 'start');
			const bars = marks.filter(({ isBar }) => isBar);
			expect(bars.map(({ event }) => attemptOf(event.payload))).toEqual(
				begun.map(({ payload }) => attemptOf(payload))
			);
			const lanes = lanesOf(marks);
			expect(new Set(lanes.map(({ name }) => name)).size).toBe(lanes.length);
			expect(lanes.reduce((sum, lane) => sum + lane.marks.length, 0)).toBe(marks.length);
			for (const { name, marks } of lanes) for (const mark of marks) expect(mark.lane).toBe(name);
		}));
});

test('an attempt is a bar from its announcement to its end', () => {
	const [bar, ...more] = marksOf(
		logOf(started({ step: 'spec' }), ended('spec_generated', { step: 'spec' }, '0.30', 8))
	);
	expect(bar).toMatchObject({
		lane: 'spec',
		isBar: true,
		from: BEGIN,
		to: BEGIN + 8_000,
		fate: 'good',
		cost: 0.3
	});
	expect(bar?.event.version).toBe(2);
	expect(more).toEqual([]);
});

test.each([
	['attempt_failed', 'bad'],
	['run_discarded', 'unused'],
	['spec_generated', 'good']
] as const)('%s ends a bar as %s', (type, fate) => {
	const [bar] = marksOf(logOf(started({ step: 'spec' }), ended(type, { step: 'spec' })));
	expect(bar).toMatchObject({ isBar: true, fate });
});

test('an attempt that has not ended has no end', () => {
	expect(marksOf(logOf(started({ step: 'plan' })))[0]).toMatchObject({
		lane: 'planner',
		to: null,
		fate: 'running'
	});
});

test('two attempts are two bars of one lane', () => {
	const marks = marksOf(
		logOf(
			started({ step: 'spec' }),
			ended('attempt_failed', { step: 'spec' }),
			started({ step: 'spec', number: 2 }),
			ended('spec_generated', { step: 'spec', number: 2 })
		)
	);
	expect(marks.map(({ lane, fate }) => [lane, fate])).toEqual([
		['spec', 'bad'],
		['spec', 'good']
	]);
});

test('what comes after an attempt has ended is a point of its own', () => {
	const log = logOf(
		started({ step: 'spec' }),
		ended('spec_generated', { step: 'spec' }),
		ended('run_discarded', { step: 'spec' })
	);
	expect(marksOf(log)).toMatchObject([
		{ isBar: true, fate: 'good' },
		{ isBar: false, fate: 'unused' }
	]);
});

describe('a decision while an agent works', () => {
	const cut = [
		decided('brief_confirmed', 1),
		started({ step: 'spec' }),
		{ ...decided('brief_revised', 2), after: 3 }
	];

	test('ends its bar there, unused', () => {
		expect(marksOf(logOf(...cut))[1]).toMatchObject({ to: BEGIN + 4_000, fate: 'unused', cost: 0 });
	});

	test('leaves what it cost to the answer that comes late', () => {
		const [, bar, , ...more] = marksOf(
			logOf(...cut, ended('run_discarded', { step: 'spec' }, '0.40', 6))
		);
		expect(bar).toMatchObject({ to: BEGIN + 10_000, fate: 'unused', cost: 0.4 });
		expect(more).toEqual([]);
	});
});

test('the person comes first, the system last, agents as they came', () => {
	const log = logOf(
		started({ step: 'plan' }),
		{ type: 'verdict_reached', by: 'system' },
		started({ step: 'spec' }),
		said()
	);
	expect(lanesOf(marksOf(log)).map(({ name }) => name)).toEqual([
		'person',
		'planner',
		'spec',
		'system'
	]);
	expect(lanesOf([]).map(({ name }) => name)).toEqual(['person']);
});

test('a feature that fails ends what runs beside', () => {
	const log = logOf(started({ step: 'security_review' }), started({ step: 'code_review' }), {
		type: 'feature_failed',
		by: 'system',
		step: 'code_review',
		epoch: 1
	});
	const bars = marksOf(log).filter(({ isBar }) => isBar);
	expect(bars.map(({ to, fate }) => [to, fate])).toEqual([
		[BEGIN + 2_000, 'unused'],
		[BEGIN + 2_000, 'unused']
	]);
});

test('giving up is the system’s doing, whoever had the step', () => {
	const log = logOf({ type: 'feature_failed', by: 'agent:spec', step: 'spec', epoch: 1 });
	expect(marksOf(log)[0]).toMatchObject({ lane: 'system', fate: 'bad', isBar: false });
});

test('what a fork brought along happened elsewhere', () => {
	const log = logOf(decided('feature_forked', 1), { type: 'part_carried' });
	expect(marksOf(log).map(({ event }) => event.version)).toEqual([1]);
});
