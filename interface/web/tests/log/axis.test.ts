import { describe, expect, test } from 'vitest';
import { FOLD_PX, axisOf, type Span } from '#lib/log/axis.ts';
import { withAnyChance } from '../given.ts';

const ROOM = 600;
const MINUTE = 60_000;
const DAY = 86_400_000;

function anySpans(random: () => number): Span[] {
	let from = random() * DAY;
	return Array.from({ length: Math.floor(random() * 12) }, (): Span => {
		from += random() ** 6 * DAY;
		return [from, from + (random() < 0.4 ? 0 : random() * 5 * MINUTE)];
	});
}

describe('any spans', () => {
	test('lie in order, inside the width', () =>
		withAnyChance((random) => {
			const spans = anySpans(random);
			const axis = axisOf(spans, ROOM);
			const moments = spans.flat().toSorted((one, other) => one - other);
			const places = moments.map(axis.x);
			expect(places).toEqual(places.toSorted((one, other) => one - other));
			for (const x of places) {
				expect(x).toBeGreaterThan(0);
				expect(x).toBeLessThan(axis.width);
			}
			expect(axis.width).toBeGreaterThanOrEqual(ROOM);
		}));

	test('are the same in whatever order they come', () =>
		withAnyChance((random) => {
			const spans = anySpans(random);
			const axis = axisOf(spans, ROOM);
			const other = axisOf(spans.toReversed(), ROOM);
			expect(other.folds).toEqual(axis.folds);
			for (const [from, to] of spans) {
				expect(other.x(from)).toBe(axis.x(from));
				expect(other.x(to)).toBe(axis.x(to));
			}
		}));

	test('have equally long seconds outside of folds', () =>
		withAnyChance((random) => {
			const spans = anySpans(random).filter(([from, to]) => to > from);
			const axis = axisOf(spans, ROOM);
			const scales = spans.map(([from, to]) => (axis.x(to) - axis.x(from)) / (to - from));
			expect(axis.folds.length).toBeLessThan(Math.max(1, spans.length));
			for (const scale of scales) expect(scale).toBeCloseTo(scales[0] ?? 0, 6);
		}));
});

test('work without a wait fills the room', () => {
	const axis = axisOf([[0, MINUTE]], ROOM);
	expect(axis.folds).toEqual([]);
	expect(axis.width).toBe(ROOM);
	expect(axis.x(MINUTE / 2)).toBeCloseTo(ROOM / 2);
});

test('a night between two minutes is folded, and says how long it was', () => {
	const axis = axisOf(
		[
			[0, MINUTE],
			[DAY, DAY + MINUTE]
		],
		ROOM
	);
	expect(axis.folds).toHaveLength(1);
	expect(axis.folds[0]?.ms).toBe(DAY - MINUTE);
	expect(axis.folds[0]?.x).toBeCloseTo(ROOM / 2);
	expect(axis.x(DAY) - axis.x(MINUTE)).toBeCloseTo(FOLD_PX);
});

test('a short wait is not folded', () => {
	const spans: Span[] = [
		[0, MINUTE],
		[MINUTE + 2_000, 2 * MINUTE]
	];
	expect(axisOf(spans, ROOM).folds).toEqual([]);
});

test('spans that overlap are one', () => {
	const spans: Span[] = [
		[0, DAY],
		[MINUTE, 2 * MINUTE],
		[DAY - MINUTE, DAY + MINUTE]
	];
	expect(axisOf(spans, ROOM).folds).toEqual([]);
});

test('work side by side is busy once: it makes no wait less worth folding', () => {
	const many = Array.from({ length: 20 }, (): Span => [0, MINUTE]);
	expect(axisOf([...many, [MINUTE + 6_000, MINUTE + 7_000]], ROOM).folds).toHaveLength(1);
});

test('what is not known lies at the nearer end', () => {
	const axis = axisOf([[MINUTE, 2 * MINUTE]], ROOM);
	expect(axis.x(0)).toBe(axis.x(MINUTE));
	expect(axis.x(DAY)).toBe(axis.x(2 * MINUTE));
});

test('a wait is where it is folded, at its earlier end', () => {
	const axis = axisOf(
		[
			[0, MINUTE],
			[DAY, DAY + MINUTE]
		],
		ROOM
	);
	expect(axis.x(DAY / 2)).toBe(axis.x(MINUTE));
});

test.each([
	['nothing', [] as Span[]],
	['one moment', [[5, 5]] as Span[]]
])('%s has a place, too', (_, spans) => {
	const axis = axisOf(spans, ROOM);
	expect(axis.folds).toEqual([]);
	expect(Number.isFinite(axis.x(5))).toBe(true);
	expect(axis.width).toBe(ROOM);
});

test('many folds in too little room make it wider', () => {
	const spans = Array.from({ length: 20 }, (_, day): Span => [day * DAY, day * DAY + 1_000]);
	const axis = axisOf(spans, 100);
	expect(axis.folds).toHaveLength(19);
	expect(axis.width).toBeGreaterThan(19 * FOLD_PX);
});
