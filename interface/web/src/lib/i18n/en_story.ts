/**
 * The English sentences of a log. A type of event that has none here is told in the words that the
 * log has for it.
 */
import {
	OURS,
	type Agent,
	type EventType,
	type Gate,
	type Step
} from '#lib/api/lifecycle_tables.ts';
import type { StopReason } from '#lib/api/generated/index.ts';
import type { Chapter, PayloadOf } from '#lib/log/events.ts';

/** What a sentence may say beside its event. */
export interface About {
	/** The person, the agent or the system, as the subject of a sentence. */
	who: string;
	/** The agent whose work it is, in the middle of a sentence. */
	agent: string;
	/** What the log says that somebody did. */
	did: string;
	attempts: number;
	replaced: boolean;
	said: number;
	answers: number;
	/** How long agents worked on it, and for how much; nothing if that is not known. */
	spent: string;
}

type Sentences = { [K in EventType]?: (event: PayloadOf<K>, about: About) => string };

const TO: Partial<Record<Step, string>> = {
	converse: 'answer you',
	spec: 'write the specification',
	title: 'find a title',
	align_spec: 'compare the specification with the brief',
	plan: 'write the plan',
	align_plan: 'compare the plan with the specification',
	tests: 'write the tests',
	align_tests: 'compare the tests with the specification',
	implement: 'write the code',
	security_review: 'look for weak points',
	code_review: 'read the code'
};
const to = (step: Step): string => TO[step] ?? 'do its part';
const GATE: Record<Gate, string> = { spec: 'specification', plan: 'plan', tests: 'tests' };

const WHY_NOT: Record<StopReason, string> = {
	undecided: 'a review came to no verdict',
	nothing_named: 'what was found names no file',
	earlier_stage: 'what the code is made from is at fault',
	off: 'the operator has set it so',
	no_progress: 'the last round left no fewer faults than before',
	limit_reached: 'as many rounds as are allowed are over'
};

const plural = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;
const tries = ({ attempts, spent }: About): string =>
	spent + (attempts > 1 ? `, at attempt ${attempts}` : '');
const asSentence = (text: string): string =>
	/[.!?…]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;

/** What was written, or taken up again from what had been written before. */
function wrote(what: string, event: { reused_from?: number | null }, about: About): string {
	return event.reused_from
		? `${about.who} took up the ${what} of version ${event.reused_from} again: nothing was paid twice`
		: `${about.who} wrote the ${what}${tries(about)}`;
}

function reviewed(
	what: string,
	event: { verdict: string; dropped_findings?: number },
	about: About
): string {
	const fate =
		event.verdict === 'PASS'
			? 'passed it'
			: event.verdict === 'UNDECIDED'
				? 'came to no verdict'
				: 'did not pass it';
	const dropped = event.dropped_findings
		? `; what ${plural(event.dropped_findings, 'finding quotes', 'findings quote')} stands in no file`
		: '';
	return `${about.who} ${what} and ${fate}${tries(about)}${dropped}`;
}

function approved(
	what: string,
	event: { override?: boolean; recommendation?: string | null; note?: string }
): string {
	if (event.override) return `You approved the ${what} although the reviewer advised to revise`;
	return event.recommendation
		? `You approved the ${what} as it stood, as the reviewer advised`
		: `You approved the ${what} as it stood, before any advice`;
}

function talked(about: About): string {
	const said = plural(about.said, 'message', 'messages');
	return about.said > 1
		? `You and the analyst talked: ${said}, ${plural(about.answers, 'answer', 'answers')}${about.spent}`
		: `You said something to the analyst, and were answered${about.spent}`;
}

const SENTENCES: Sentences = {
	feature_created: (event, { who }) =>
		event.title ? `${who} began the feature “${event.title}”` : `${who} began the feature`,
	feature_forked: (event, { who }) =>
		`${who} began a second way from version ${event.parent_version} of another feature, and brought ${plural(event.parts, 'part', 'parts')} along`,
	part_carried: (event) =>
		`Brought along from version ${event.parent_version} of the feature it began from`,
	feature_renamed: (event, { who }) => `${who} named it “${event.title}”`,
	feature_deleted: (_, { who }) => `${who} deleted the feature: its texts are unreadable for ever`,
	message_posted: (_, about) =>
		about.answers > 0 ? talked(about) : 'You said something to the analyst',
	step_started: (event, about) => {
		const what = to(event.attempt.step);
		const number = about.attempts > 1 ? `, attempt ${about.attempts}` : '';
		return about.replaced
			? `${about.who} began to ${what}, but something newer took its place`
			: `${about.who} set out to ${what}${number}`;
	},
	attempt_failed: (event, about) =>
		OURS.has(event.code)
			? `${about.who} was cut off while it set out to ${to(event.attempt.step)}, by a restart or a loss of ours. The work goes on`
			: `${about.who} tried to ${to(event.attempt.step)} and did not succeed${tries(about)}: ${asSentence(event.reason)}` +
				(event.files?.length
					? ` What it had written, ${plural(event.files.length, 'file', 'files')}, is kept.`
					: '') +
				(event.retried ? ' Another attempt follows' : ''),
	run_discarded: (event, about) =>
		`${about.who} tried to ${to(event.attempt.step)}${about.spent}, but the result came too late and was not used` +
		(event.files?.length
			? `. What it had written, ${plural(event.files.length, 'file', 'files')}, is kept`
			: ''),
	agent_replied: (event, about) => {
		const ending = event.brief
			? '. A brief was proposed'
			: event.question
				? ', the last one with a question'
				: '';
		return talked(about) + ending;
	},
	brief_confirmed: (_, { who }) => `${who} confirmed the brief: the work began`,
	brief_revised: (_, { who }) =>
		`${who} revised the brief: from here on, everything is made from this one`,
	spec_generated: (event, about) => wrote('specification', event, about),
	plan_generated: (event, about) => wrote('plan', event, about),
	tests_generated: (event, about) => wrote('tests', event, about),
	rewrite_requested: (event, { who }) =>
		`${who} made ${plural(event.comments.length, 'comment', 'comments')} on the ${GATE[event.gate]}, to have it written anew`,
	spec_edited: (_, { who }) => `${who} edited the specification by hand`,
	plan_edited: (_, { who }) => `${who} edited the plan by hand`,
	tests_edited: (_, { who }) => `${who} edited the tests by hand`,
	recommendation_made: (event, about) => {
		const advice = event.recommendation === 'APPROVE' ? 'approve' : 'revise';
		const lost = event.lost?.length
			? `; ${plural(event.lost.length, 'point', 'points')} not covered`
			: '';
		return `${about.who} advised to ${advice} the ${GATE[event.gate]}${tries(about)}${lost}`;
	},
	feature_titled: (event, about) =>
		event.by_model === false
			? `The title was taken from the brief: “${event.title}”`
			: `${about.who} named it “${event.title}”${tries(about)}`,
	spec_approved: (event) => approved('specification', event),
	plan_approved: (event) => approved('plan', event),
	tests_approved: (event) => `${approved('tests', event)}. From here on they do not change`,
	approval_renewed: (event, { who }) =>
		`${who} approved the ${GATE[event.gate]} again: a second way takes no approval along`,
	implementation_completed: (event, about) =>
		event.reused_from
			? wrote('code', event, about)
			: `${about.who} wrote the code${tries(about)}: ${plural(event.files.length, 'file', 'files')}` +
				(event.refused?.length
					? `; the checks refused ${event.refused.length} of them to the end, so it cannot pass`
					: ''),
	security_reviewed: (event, about) => reviewed('looked for weak points', event, about),
	code_reviewed: (event, about) => reviewed('read the code', event, about),
	verdict_reached: (event) =>
		event.verdict === 'PASS'
			? 'Both reviews are in, and passed: the code is done'
			: event.verdict === 'UNDECIDED'
				? 'Both reviews are in, and not both came to a verdict: the code did not pass'
				: 'Both reviews are in, and not both passed',
	mending_started: (event) =>
		`The review found ${plural(event.faults.length, 'thing', 'things')}. Round ${event.round} of ${event.of} mends ${event.faults.length === 1 ? 'it' : 'them'}${Number(event.cost_usd ?? 0) > 0 ? `, for about $${Number(event.cost_usd).toFixed(2)}` : ''}: ${plural(event.files.length, 'file', 'files')} may change, ${event.frozen} may not`,
	mending_stopped: (event) => `Nothing is mended without you: ${WHY_NOT[event.why]}`,
	step_abandoned: (event, about) =>
		`${about.agent} could not ${to(event.step)}, and it went on without: ${asSentence(event.reason)}`,
	feature_failed: (event, about) =>
		`${about.agent} could not ${to(event.step)}${about.attempts > 1 ? ` in ${about.attempts} attempts` : ''}, and the feature failed${about.spent ? `, after ${about.spent.trim().replace(/^in /, '')}` : ''}: ${asSentence(event.reason)}`,
	feature_retried: (event, { who }) => `${who} tried again, from version ${event.to_version}`,
	feature_replayed: (event, { who }) =>
		`${who} went back to version ${event.to_version}: what came after stays in the log`,
	work_stopped: (event, { who }) =>
		`${who} stopped the agents: nothing is paid for until they may go on` +
		(event.reason ? `. The reason: ${asSentence(event.reason)}` : ''),
	work_resumed: (_, { who }) => `${who} let the agents go on where they were stopped`
};

/** The subject of a sentence. */
const subject = (actor: string, agents: Record<Agent, string>): string => {
	const [kind = '', name = ''] = actor.split(':');
	if (kind === 'user') return 'You';
	if (kind !== 'agent') return 'The system';
	const known = agents[name as Agent];
	return known ? `The ${known.charAt(0).toLowerCase()}${known.slice(1)}` : name;
};

export const story = {
	subject,
	spent: (time: string, cost: string): string =>
		(time ? ` in ${time}` : '') + (cost ? ` for ${cost}` : ''),
	/** Ends with a full stop, whatever the event's own words end with. */
	sentence: <K extends EventType>(event: PayloadOf<K>, about: About): string => {
		const tell = SENTENCES[(event as { type: K }).type] as
			((event: PayloadOf<K>, about: About) => string) | undefined;
		return asSentence(tell ? tell(event, about) : `${about.who} ${about.did}${tries(about)}`);
	},
	chapter: {
		talk: 'Conversation and brief',
		spec: 'Specification',
		plan: 'Plan',
		tests: 'Tests',
		implementation: 'Code',
		review: 'Review'
	} satisfies Record<Chapter, string>
} as const;
