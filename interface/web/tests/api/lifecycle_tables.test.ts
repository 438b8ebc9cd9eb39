import { expect, test } from 'vitest';
import { lifecycle } from '#lib/api/lifecycle.ts';
import {
	GATES,
	STATUSES,
	gateAt,
	isDraft,
	isWorking,
	may,
	mayGoOn,
	offers,
	stageAt,
	waitsForPerson,
	workOf,
	type Status
} from '#lib/api/lifecycle_tables.ts';

const ALL: readonly Status[] = lifecycle.statuses.map(({ status }) => status);

test('each gate stands once, in the order of a feature’s life', () => {
	expect(GATES).toEqual(['spec', 'plan', 'tests']);
});

test.each(ALL)('%s is either worked at, or waits for the person, or is over', (status) => {
	const over = status === 'done';
	expect([isWorking(status), waitsForPerson(status), over].filter(Boolean)).toHaveLength(1);
});

test.each(ALL)('%s offers an approval where there is a gate, and only there', (status) => {
	expect(offers(status, 'approve')).toBe(gateAt(status) !== null);
	if (gateAt(status) !== null) expect(stageAt(status)).not.toBeNull();
});

test('what can be done to a deleted feature is nothing, so the dashboard has no such status', () => {
	expect(STATUSES).not.toContain('deleted');
	expect(STATUSES).toHaveLength(ALL.length - 1);
});

test('what has ended goes on, and at a gate it has not', () => {
	expect(mayGoOn('done')).toBe(true);
	expect(mayGoOn('failed')).toBe(true);
	expect(mayGoOn('spec_ready')).toBe(false);
	expect(mayGoOn('drafting')).toBe(false);
	expect(mayGoOn('spec_generating')).toBe(false);
	expect(isDraft({ status: 'drafting' })).toBe(true);
	expect(isDraft({ status: 'spec_ready' })).toBe(false);
});

test('a name of a later service is not known, and breaks nothing', () => {
	const later = 'sleeping' as Status;
	expect(gateAt(later)).toBeNull();
	expect(stageAt(later)).toBeNull();
	expect(isWorking(later)).toBe(false);
	expect(mayGoOn(later)).toBe(false);
	expect(workOf('dream' as never)).toBeUndefined();
	expect(may(null, 'approve')).toBe(false);
});

test.each(lifecycle.steps)('$step is somebody’s work', ({ step, agent }) => {
	expect(workOf(step)?.agent).toBe(agent);
});
