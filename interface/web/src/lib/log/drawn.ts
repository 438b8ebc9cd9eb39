/**
 * Where each mark of a timeline is drawn.
 *
 * Invariant: no mark is too small to be hit, and no point hides another of its lane, even if that
 * moves it a little to the right of its moment.
 */
import { axisOf, type Axis, type Span } from './axis.ts';
import type { Lane, Mark } from './lanes.ts';

export interface Drawn {
	mark: Mark;
	/** Place in the order of time, over all lanes. */
	order: number;
	row: number;
	x: number;
	width: number;
}

export interface Drawing {
	axis: Axis;
	/** In the order of time. */
	marks: Drawn[];
	width: number;
}

export const LEAST_BAR_PX = 10;
export const POINT_PX = 14;

/** `now` is when what runs has come to; `room` the width there is, in pixels. */
export function drawingOf(lanes: readonly Lane[], now: number, room: number): Drawing {
	const ordered = lanes
		.flatMap((lane, row) => lane.marks.map((mark) => ({ mark, row })))
		.sort(
			(one, other) =>
				one.mark.from - other.mark.from || one.mark.event.version - other.mark.event.version
		);
	const until = (mark: Mark): number => mark.to ?? Math.max(now, mark.from);
	const axis = axisOf(
		ordered.map(({ mark }): Span => [mark.from, until(mark)]),
		room - POINT_PX
	);
	const ends = new Map<number, number>();
	const marks = ordered.map(({ mark, row }, order): Drawn => {
		const exact = axis.x(mark.from);
		const x = Math.max(exact, ends.get(row) ?? 0);
		const width = mark.isBar ? Math.max(LEAST_BAR_PX, axis.x(until(mark)) - x) : POINT_PX;
		ends.set(row, x + width + 2);
		return { mark, order, row, x, width };
	});
	const width = Math.max(room, ...ends.values());
	return { axis, marks, width };
}
