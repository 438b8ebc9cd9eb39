import { describe, expect, test } from 'vitest';
import { fresh, paragraphs, withDelta, withFile, withTurn } from '#lib/live/writing.ts';
import { oneOf, withAnyChance } from '../given.ts';

const begun = fresh('spec', 1);

test('pieces twice, late or from the middle never make a text that was not written', () =>
	withAnyChance((random) => {
		const whole = Array.from({ length: 40 }, () => oneOf(random, ['a', 'b', ' '])).join('');
		let now = begun;
		for (let piece = 0; piece < 25; piece += 1) {
			const offset = Math.floor(random() * whole.length);
			const text = whole.slice(offset, offset + 1 + Math.floor(random() * 8));
			now = withDelta(now, { offset, text });
			expect(now.text).toBe(whole.slice(now.begins, now.begins + now.text.length));
		}
	}));

test('two streams of one text, each in order, make the whole of it', () =>
	withAnyChance((random) => {
		const whole = Array.from({ length: 40 }, () => oneOf(random, ['a', 'b', ' '])).join('');
		const heard = [0, 0];
		let now = begun;
		while (Math.min(...heard) < whole.length) {
			const stream = random() < 0.5 ? 0 : 1;
			const offset = heard[stream] ?? 0;
			const text = whole.slice(offset, offset + 1 + Math.floor(random() * 6));
			if (text !== '') now = withDelta(now, { offset, text });
			heard[stream] = offset + text.length;
		}
		expect(now).toMatchObject({ begins: 0, text: whole });
	}));

describe('a piece', () => {
	const now = withDelta(begun, { offset: 0, text: 'Hello' });

	test('that follows is added', () => {
		expect(withDelta(now, { offset: 5, text: ' you' }).text).toBe('Hello you');
	});

	test('that reaches further than what is known is added in part', () => {
		expect(withDelta(now, { offset: 3, text: 'lo you' }).text).toBe('Hello you');
	});

	test('after a hole is shown without what was before', () => {
		expect(withDelta(now, { offset: 9, text: 'you' })).toMatchObject({ begins: 9, text: 'you' });
	});

	test('from the start with other words is another answer', () => {
		expect(withDelta(now, { offset: 0, text: 'Good day' })).toMatchObject({
			begins: 0,
			text: 'Good day'
		});
	});

	test('from the middle with other words is from the answer before', () => {
		expect(withDelta(now, { offset: 2, text: 'xx' })).toBe(now);
	});
});

describe('turns', () => {
	const two = withDelta(withTurn(withDelta(begun, { offset: 0, text: 'One.' }), 'reads'), {
		offset: 4,
		text: 'Two.'
	});

	test('are paragraphs', () => {
		expect(paragraphs(two, 100)).toEqual(['One.', 'Two.']);
		expect(two.words).toBe('reads');
	});

	test('are cut from the front where there is too much', () => {
		expect(paragraphs(two, 6)).toEqual(['e.', 'Two.']);
		expect(paragraphs(two, 4)).toEqual(['Two.']);
		expect(paragraphs(two, 2)).toEqual(['o.']);
	});

	test('in which nothing was written leave no empty paragraph', () => {
		expect(withTurn(begun, 'reads').turns).toEqual([]);
		expect(withTurn(withTurn(two, 'a'), 'b').turns).toEqual([4, 8]);
	});
});

test('a file that grows is named once', () => {
	const one = withFile(begun, { path: 'a.ts', size: 1 });
	const both = withFile(withFile(one, { path: 'b.ts', size: 5 }), { path: 'a.ts', size: 9 });
	expect(both.files).toEqual([
		{ path: 'b.ts', size: 5 },
		{ path: 'a.ts', size: 9 }
	]);
});
