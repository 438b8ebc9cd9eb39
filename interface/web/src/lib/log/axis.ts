/**
 * A scale of time on which nothing that happened is out of sight: long waits are folded.
 *
 * Invariant: a later moment never lies left of an earlier one, and between two folds all seconds are
 * equally long.
 */
export type Span = readonly [from: number, to: number];

export interface Fold {
	/** Where it is drawn, and how long the wait was, in milliseconds. */
	x: number;
	ms: number;
}

export interface Axis {
	width: number;
	folds: Fold[];
	/** Where a moment lies; outside of what is known, at the nearer end. */
	x: (ms: number) => number;
}

/** Room of a folded wait, in pixels. */
export const FOLD_PX = 44;
const EDGE_PX = 14;
/** A wait is folded if it is longer than this, and than this share of all that was busy. */
const SHORTEST_FOLD_MS = 1_000;
const FOLD_SHARE = 0.08;

/** Lays spans out in `room` pixels or more; times in milliseconds. */
export function axisOf(spans: readonly Span[], room: number): Axis {
	const busy = merged(spans);
	const active = busy.reduce((sum, [from, to]) => sum + to - from, 0);
	const limit = Math.max(SHORTEST_FOLD_MS, active * FOLD_SHARE);
	const stretches: [number, number][] = [];
	for (const [from, to] of busy) {
		const last = stretches.at(-1);
		if (last && from - last[1] <= limit) last[1] = Math.max(last[1], to);
		else stretches.push([from, to]);
	}
	const length = stretches.reduce((sum, [from, to]) => sum + to - from, 0);
	const forTime = Math.max(0, room - 2 * EDGE_PX - FOLD_PX * Math.max(0, stretches.length - 1));
	const scale = length > 0 ? forTime / length : 0;

	const folds: Fold[] = [];
	const places: { from: number; to: number; x: number }[] = [];
	let x = EDGE_PX;
	stretches.forEach(([from, to], place) => {
		const before = stretches[place - 1];
		if (before) {
			folds.push({ x: x + FOLD_PX / 2, ms: from - before[1] });
			x += FOLD_PX;
		}
		places.push({ from, to, x });
		x += (to - from) * scale;
	});

	const where = (ms: number): number => {
		const place = places.findLast(({ from }) => from <= ms) ?? places[0];
		if (!place) return EDGE_PX;
		return place.x + (Math.min(Math.max(ms, place.from), place.to) - place.from) * scale;
	};
	return { width: Math.max(room, x + EDGE_PX), folds, x: where };
}

function merged(spans: readonly Span[]): [number, number][] {
	const found: [number, number][] = [];
	for (const [from, to] of [...spans].sort((one, other) => one[0] - other[0])) {
		const last = found.at(-1);
		if (last && from <= last[1]) last[1] = Math.max(last[1], to);
		else found.push([from, to]);
	}
	return found;
}
