import { expect, test } from 'vitest';
import { LEAST_BAR_PX, POINT_PX, drawingOf } from '#lib/log/drawn.ts';
import { lanesOf, marksOf } from '#lib/log/lanes.ts';
import { BEGIN, withAnyChance, anyLog, logOf, said, started } from '../given.ts';

const ROOM = 700;

test('no mark of any log is too small, and no point hides another', () =>
	withAnyChance((random) => {
		const marks = marksOf(anyLog(random));
		const now = Math.max(BEGIN, ...marks.map(({ from }) => from)) + 1_000;
		const drawing = drawingOf(lanesOf(marks), now, ROOM);
		expect(drawing.marks).toHaveLength(marks.length);
		const ends = new Map<number, number>();
		drawing.marks.forEach(({ mark, order, row, x, width }, place) => {
			expect(order).toBe(place);
			expect(width).toBeGreaterThanOrEqual(mark.isBar ? LEAST_BAR_PX : POINT_PX);
			expect(x).toBeGreaterThanOrEqual(ends.get(row) ?? 0);
			expect(x + width).toBeLessThanOrEqual(drawing.width);
			ends.set(row, x + width);
		});
	}));

test('two points of one moment stand beside each other', () => {
	const log = logOf(said(), { ...said(), after: 0 });
	const [one, other] = drawingOf(lanesOf(marksOf(log)), BEGIN, ROOM).marks;
	expect(other?.x).toBeGreaterThanOrEqual((one?.x ?? Infinity) + POINT_PX);
});

test('what runs grows with the time', () => {
	const lanes = lanesOf(marksOf(logOf(said(), started({ step: 'spec' }))));
	const widthAt = (now: number) => drawingOf(lanes, now, ROOM).marks[1]?.width ?? 0;
	expect(widthAt(BEGIN + 1_000)).toBe(LEAST_BAR_PX);
	expect(widthAt(BEGIN + 3_000)).toBeGreaterThan(LEAST_BAR_PX);
});
