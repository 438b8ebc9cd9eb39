/**
 * What kinds of events there are, for those who fold a log into something shorter.
 *
 * Invariant: every event has a kind. The results of steps are those of the generated list; what has
 * no row of its own beside them is a decision.
 */
import type { EventView } from '#lib/api/generated/index.ts';
import {
	isResult,
	workOf,
	type EventType,
	type Stage,
	type Step
} from '#lib/api/lifecycle_tables.ts';

export type Payload = EventView['payload'];
export type PayloadOf<K extends EventType> = Extract<Payload, { type: K }>;

/** What an event is to a story: the beginning of work, its end, or something of its own. */
export type Kind =
	/** An attempt begins. */
	| 'start'
	/** An attempt ends, and this is what it gave. */
	| 'result'
	/** An attempt ends without a result. */
	| 'miss'
	/** An answer that nobody waited for any more. */
	| 'late'
	/** A step that the feature can do without is given up. */
	| 'dropped'
	/** A step gave up, and the feature with it. */
	| 'failed'
	/** A person says something. */
	| 'said'
	/** A person decides something. */
	| 'decision'
	/** Part of the fork before it. */
	| 'part'
	/** Code computes something. */
	| 'computed';

/** Where an event belongs in the story; the others belong to what goes on at the time. */
export type Chapter = 'talk' | Stage;

interface Row {
	kind: Kind;
	chapter?: Chapter;
}

const ROWS: Partial<Record<EventType, Row>> = {
	feature_created: { kind: 'decision', chapter: 'talk' },
	feature_forked: { kind: 'decision', chapter: 'talk' },
	part_carried: { kind: 'part', chapter: 'talk' },
	feature_renamed: { kind: 'decision' },
	feature_deleted: { kind: 'decision' },
	message_posted: { kind: 'said' },
	step_started: { kind: 'start' },
	attempt_failed: { kind: 'miss' },
	run_discarded: { kind: 'late' },
	brief_confirmed: { kind: 'decision', chapter: 'talk' },
	brief_revised: { kind: 'decision', chapter: 'talk' },
	rewrite_requested: { kind: 'decision' },
	spec_edited: { kind: 'decision', chapter: 'spec' },
	plan_edited: { kind: 'decision', chapter: 'plan' },
	tests_edited: { kind: 'decision', chapter: 'tests' },
	spec_approved: { kind: 'decision', chapter: 'spec' },
	plan_approved: { kind: 'decision', chapter: 'plan' },
	tests_approved: { kind: 'decision', chapter: 'tests' },
	approval_renewed: { kind: 'decision' },
	verdict_reached: { kind: 'computed', chapter: 'review' },
	mending_started: { kind: 'computed', chapter: 'implementation' },
	mending_stopped: { kind: 'computed', chapter: 'review' },
	step_abandoned: { kind: 'dropped' },
	feature_failed: { kind: 'failed' },
	feature_retried: { kind: 'decision' },
	feature_replayed: { kind: 'decision' },
	work_stopped: { kind: 'decision' },
	work_resumed: { kind: 'decision' }
};

export const kindOf = ({ type }: Payload): Kind =>
	ROWS[type]?.kind ?? (isResult(type) ? 'result' : 'decision');
export const chapterOf = (payload: Payload): Chapter | undefined => ROWS[payload.type]?.chapter;

/** The step that an event is about, if it is about one. */
export function stepOf(payload: Payload): Step | null {
	if ('attempt' in payload) return payload.attempt.step;
	return 'step' in payload ? payload.step : null;
}

/** Whether it belongs to the conversation with the analyst. */
export function isTalk(payload: Payload): boolean {
	const step = stepOf(payload);
	return kindOf(payload) === 'said' || (step !== null && workOf(step)?.agent === 'ba');
}

/** Names all attempts of a step between two decisions of a person. */
export function effortOf(payload: Payload): string | null {
	const step = stepOf(payload);
	const epoch =
		'attempt' in payload ? payload.attempt.epoch : 'epoch' in payload ? payload.epoch : 0;
	return step === null ? null : `${step} ${epoch}`;
}

/** Names one attempt. */
export const attemptOf = (payload: Payload): string | null =>
	'attempt' in payload ? `${effortOf(payload)} ${payload.attempt.number}` : null;

/** Whether what runs now is not waited for any more: a person decided anew, or it is over. */
export const endsWhatRuns = (payload: Payload): boolean =>
	kindOf(payload) === 'failed' || (kindOf(payload) === 'decision' && 'epoch' in payload);

export const spentBy = (payload: Payload): { cost: number; seconds: number } =>
	'run' in payload
		? { cost: Number(payload.run.cost_usd ?? 0), seconds: payload.run.seconds ?? 0 }
		: { cost: 0, seconds: 0 };
