/**
 * Folds a log into lanes: what the person decided, what each agent did and for how long, what code
 * computed.
 *
 * Invariant: each attempt is one bar, from its announcement to the event that ended it; every other
 * event is one point, but what a fork brought along, which happened elsewhere.
 */
import type { EventView } from '#lib/api/generated/index.ts';
import { workOf, type Agent } from '#lib/api/lifecycle_tables.ts';
import { attemptOf, endsWhatRuns, kindOf, spentBy, stepOf } from './events.ts';

export type LaneName = 'person' | 'system' | Agent;
export type Fate = 'running' | 'good' | 'bad' | 'unused' | 'decided' | 'computed';

export interface Mark {
	/** The event that it is told by: of a bar, the one that ended it, else the one that began it. */
	event: EventView;
	lane: LaneName;
	/** Milliseconds since 1970. Without an end it still runs; a point ends where it begins. */
	from: number;
	to: number | null;
	fate: Fate;
	isBar: boolean;
	cost: number;
}

export interface Lane {
	name: LaneName;
	marks: Mark[];
}

const FATE = {
	start: 'running',
	result: 'good',
	miss: 'bad',
	late: 'unused',
	dropped: 'bad',
	failed: 'bad',
	said: 'decided',
	decision: 'decided',
	part: 'decided',
	computed: 'computed'
} as const satisfies Record<ReturnType<typeof kindOf>, Fate>;

/** All marks, in the order of their beginnings. */
export function marksOf(events: readonly EventView[]): Mark[] {
	const marks: Mark[] = [];
	const running = new Map<string, Mark>();
	for (const event of events) {
		const kind = kindOf(event.payload);
		const at = Date.parse(event.recorded_at);
		const attempt = attemptOf(event.payload);
		const bar = attempt === null ? undefined : running.get(attempt);
		if (kind === 'part') continue;
		if (bar && attempt !== null) {
			Object.assign(bar, { event, to: at, fate: FATE[kind], cost: spentBy(event.payload).cost });
			running.delete(attempt);
		} else {
			const isBar = kind === 'start';
			const mark: Mark = {
				event,
				lane: laneOf(event),
				from: at,
				to: isBar ? null : at,
				fate: FATE[kind],
				isBar,
				cost: spentBy(event.payload).cost
			};
			marks.push(mark);
			if (isBar && attempt !== null) running.set(attempt, mark);
		}
		if (endsWhatRuns(event.payload)) {
			for (const mark of running.values()) {
				if (mark.to === null) Object.assign(mark, { to: at, fate: 'unused' satisfies Fate });
			}
		}
	}
	return marks;
}

/** The person first, then agents in the order in which they came, then the system. */
export function lanesOf(marks: readonly Mark[]): Lane[] {
	const lanes = new Map<LaneName, Lane>([['person', { name: 'person', marks: [] }]]);
	const system: Lane = { name: 'system', marks: [] };
	for (const mark of marks) {
		const lane =
			mark.lane === 'system' ? system : (lanes.get(mark.lane) ?? { name: mark.lane, marks: [] });
		if (lane !== system) lanes.set(mark.lane, lane);
		lane.marks.push(mark);
	}
	return [...lanes.values(), ...(system.marks.length > 0 ? [system] : [])];
}

function laneOf({ payload, actor }: EventView): LaneName {
	const kind = kindOf(payload);
	if (kind === 'computed' || kind === 'failed' || kind === 'dropped') return 'system';
	const step = stepOf(payload);
	const agent = step === null ? undefined : workOf(step)?.agent;
	return agent ?? (actor.startsWith('user:') ? 'person' : 'system');
}
