import { describe, expect, test } from 'vitest';
import { pairsOf, type Pair } from '#lib/pairs.ts';
import { withAnyChance, oneOf } from './given.ts';

const NAMES = '--- first\n+++ second\n';
const side = (pairs: readonly Pair[], name: 'first' | 'second') =>
	pairs.map((pair) => pair[name]).filter((line) => line !== null);

test('each column of any diff is its side’s text', () =>
	withAnyChance((random) => {
		const texts = ['', 'a', '-', '+ x', '--- first', '@@', '  deep'];
		const lines = Array.from({ length: Math.floor(random() * 30) }, () => {
			return oneOf(random, ['-', '+', ' ']) + oneOf(random, texts);
		});
		const pairs = pairsOf(`${NAMES}${lines.join('\n')}\n`);
		const shown = (sign: string) =>
			lines.filter((line) => line[0] === sign || line[0] === ' ').map((line) => line.slice(1));
		expect(side(pairs, 'first')).toEqual(shown('-'));
		expect(side(pairs, 'second')).toEqual(shown('+'));
		for (const { first, second, kind } of pairs) {
			expect(first === null && second === null).toBe(false);
			if (kind === 'same') expect(first).toBe(second);
		}
	}));

describe('what was there', () => {
	test('stands beside what took its place', () => {
		expect(pairsOf(`${NAMES}@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n`)).toEqual([
			{ first: '…', second: '…', kind: 'place' },
			{ first: 'one', second: 'one', kind: 'same' },
			{ first: 'two', second: 'zwei', kind: 'changed' },
			{ first: 'three', second: 'three', kind: 'same' }
		]);
	});

	test('stands alone where less took its place, or more', () => {
		expect(pairsOf(`${NAMES}-one\n-two\n+eins\n`)).toEqual([
			{ first: 'one', second: 'eins', kind: 'changed' },
			{ first: 'two', second: null, kind: 'changed' }
		]);
		expect(pairsOf(`${NAMES}+eins\n+zwei\n`)).toEqual([
			{ first: null, second: 'eins', kind: 'changed' },
			{ first: null, second: 'zwei', kind: 'changed' }
		]);
	});

	test('is not paired over a line that stayed', () => {
		expect(pairsOf(`${NAMES}-one\n same\n+eins\n`)).toEqual([
			{ first: 'one', second: null, kind: 'changed' },
			{ first: 'same', second: 'same', kind: 'same' },
			{ first: null, second: 'eins', kind: 'changed' }
		]);
	});
});

test('the last line counts, whether or not it is ended', () => {
	expect(pairsOf(`${NAMES}-one`)).toEqual([{ first: 'one', second: null, kind: 'changed' }]);
});

test('an empty line of both sides is shown', () => {
	expect(pairsOf(`${NAMES} \n`)).toEqual([{ first: '', second: '', kind: 'same' }]);
});

test('no difference has no pairs', () => {
	expect(pairsOf('')).toEqual([]);
	expect(pairsOf(NAMES)).toEqual([]);
});
