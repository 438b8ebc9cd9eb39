/** Logs and chance for the tests. */
import type { EventView } from '#lib/api/generated/index.ts';
import { EVENTS, type EventType, type Step } from '#lib/api/lifecycle_tables.ts';

/** The moment of a log's first event. */
export const BEGIN = Date.parse('2026-01-05T10:00:00Z');

export interface Said extends Record<string, unknown> {
	type: EventType;
	/** Who did it; the person if nobody is named. */
	by?: string;
	/** Seconds since the event before. */
	after?: number;
}

/** A log of these events, with what the code under test reads of them. */
export function logOf(...said: Said[]): EventView[] {
	let at = BEGIN;
	return said.map(({ by = 'user:1', after = 1, ...payload }, place) => {
		if (place > 0) at += after * 1_000;
		return {
			version: place + 1,
			recorded_at: new Date(at).toISOString(),
			actor: by,
			payload
		} as unknown as EventView;
	});
}

export interface Try {
	step: Step;
	number?: number;
	epoch?: number;
}

const attemptOf = ({ step, number = 1, epoch = 1 }: Try) => ({ step, number, epoch });

export const started = (what: Try, after = 1): Said => ({
	type: 'step_started',
	by: 'system',
	after,
	attempt: attemptOf(what)
});

/** The end of an attempt: a result, or a failure, a late answer. */
export const ended = (type: EventType, what: Try, cost = '0.10', seconds = 5): Said => ({
	type,
	by: 'agent:spec',
	after: seconds,
	attempt: attemptOf(what),
	run: { cost_usd: cost, seconds }
});

export const said = (text = 'A list of tools'): Said => ({ type: 'message_posted', text });

/** Decisions of a person that end what runs. */
export const decided = (type: EventType, epoch: number, more: object = {}): Said => ({
	type,
	epoch,
	...more
});

/** Numbers from 0 to below 1 that look like chance, and are the same for the same seed. */
export function chance(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

const SEEDS = 200;

/** Checks something with chances that are the same each time; says with which of them it failed. */
export function withAnyChance(check: (random: () => number) => void): void {
	for (let seed = 1; seed <= SEEDS; seed += 1) {
		try {
			check(chance(seed));
		} catch (error) {
			throw new Error(`it fails with chance(${seed})`, { cause: error });
		}
	}
}

export function oneOf<T>(random: () => number, all: readonly T[]): T {
	const one = all[Math.floor(random() * all.length)];
	if (one === undefined) throw new RangeError('nothing to choose from');
	return one;
}

const STEPS: readonly Step[] = ['converse', 'spec', 'align_spec', 'plan', 'implement'];
const OF_AN_ATTEMPT: readonly EventType[] = [
	'step_started',
	'attempt_failed',
	'run_discarded',
	'agent_replied',
	'spec_generated',
	'plan_generated',
	'recommendation_made',
	'implementation_completed'
];
const OF_AN_EPOCH: readonly EventType[] = ['brief_confirmed', 'brief_revised', 'feature_retried'];

/**
 * Any log at all in which no attempt begins twice, whether or not a feature could have it: a fold
 * must stand them all.
 */
export function anyLog(random: () => number): EventView[] {
	const length = Math.floor(random() * 40);
	const begun = new Map<string, number>();
	return logOf(
		...Array.from({ length }, (): Said => {
			const type = oneOf(random, random() < 0.7 ? OF_AN_ATTEMPT : EVENTS);
			const step = oneOf(random, STEPS);
			const epoch = 1 + Math.floor(random() * 2);
			const after = Math.floor(random() ** 4 * 5_000);
			const before = begun.get(`${step} ${epoch}`) ?? 0;
			if (type === 'step_started') {
				begun.set(`${step} ${epoch}`, before + 1);
				return started({ step, number: before + 1, epoch }, after);
			}
			const number = 1 + Math.floor(random() * Math.max(1, before));
			if (OF_AN_ATTEMPT.includes(type)) return ended(type, { step, number, epoch }, '0.25', after);
			if (OF_AN_EPOCH.includes(type)) return { ...decided(type, epoch), after };
			if (type === 'feature_failed' || type === 'step_abandoned') {
				return { type, step, epoch, by: 'system', after };
			}
			return { type, after };
		})
	);
}
