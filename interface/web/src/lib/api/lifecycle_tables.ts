/** Questions to the lifecycle table: where a feature stands, and what may be done there. */
import { lifecycle } from './lifecycle';
import type { Agent, Gate, Stage, Status, Step } from './generated';

export type Action = (typeof lifecycle.actions)[number];
export type EventType = (typeof lifecycle.events)[number]['type'];
export type { Agent, Gate, Stage, Status, Step };

interface Standing {
	status: Status;
	stage: Stage | null;
	gate: Gate | null;
	working: boolean;
	steps: readonly Step[];
	actions: readonly Action[];
}

interface Work {
	step: Step;
	agent: Agent;
	stage: Stage | null;
	gate: Gate | null;
	dispensable: boolean;
}

const STANDINGS: ReadonlyMap<string, Standing> = new Map(
	lifecycle.statuses.map((one) => [one.status, one])
);
const WORK: ReadonlyMap<string, Work> = new Map(lifecycle.steps.map((one) => [one.step, one]));

/** The codes of attempts that a restart or a loss of ours cut off; they did not fail by themselves. */
export const OURS: ReadonlySet<string> = new Set<string>(lifecycle.ours);

export const STAGES: readonly Stage[] = lifecycle.stages;

/** The gates, in the order in which a person comes to them. */
export const GATES: readonly Gate[] = lifecycle.statuses.flatMap((one) => one.gate ?? []);

/** Every status that a feature on the dashboard can have, in the order of its life. */
export const STATUSES: readonly Status[] = lifecycle.statuses
	.filter((one) => one.actions.length > 0)
	.map((one) => one.status);

/** Every kind of event, in the order of a feature's life. */
export const EVENTS: readonly EventType[] = lifecycle.events.map((one) => one.type);

const RESULTS: ReadonlySet<string> = new Set<string>(
	lifecycle.events.filter((one) => one.result).map((one) => one.type)
);
/** Whether an event records what a step came to. */
export const isResult = (type: EventType): boolean => RESULTS.has(type);

export const gateAt = (status: Status): Gate | null => STANDINGS.get(status)?.gate ?? null;
export const stageAt = (status: Status): Stage | null => STANDINGS.get(status)?.stage ?? null;
export const isWorking = (status: Status): boolean => STANDINGS.get(status)?.working ?? false;
/** Whether a status allows it, whenever the feature stood there. */
export const offers = (status: Status, action: Action): boolean =>
	STANDINGS.get(status)?.actions.includes(action) ?? false;
export const workOf = (step: Step): Work | undefined => WORK.get(step);

/** Whether the person can bring it on: it waits for them. */
export const waitsForPerson = (status: Status): boolean => !isWorking(status) && status !== 'done';

/** Whether it may be done now; the server's list, in this app's types. */
export const may = (
	one: { actions: readonly string[] } | null | undefined,
	action: Action
): boolean => one?.actions.includes(action) ?? false;

/** Whether it has ended, and a changed brief begins its next round. */
export const mayGoOn = (status: Status): boolean =>
	offers(status, 'revise') && gateAt(status) === null;

/** The conversation before there is a confirmed brief: where a brief can be confirmed. */
export const isDraft = (one: { status: Status }): boolean => offers(one.status, 'confirm');

/** The events of the stream that answers a message. */
export type AnswerFrame = (typeof lifecycle.streams.answer)[number];
/** What a live stream says in passing, without an id. */
export type PassingWord = (typeof lifecycle.streams.passing)[number];
