import { describe, expect, test } from 'vitest';
import { idIn, lineAt, linesOf } from '#lib/why.ts';

const HERE = new URL('http://x.invalid/app/features/1?show=brief&at=7#BF-1');

describe('addresses of lines and ids', () => {
	test('keep the moment that is looked at', () => {
		expect(lineAt(HERE, 'src/a b.ts', 3)).toBe(
			'/app/features/1?show=files&at=7&file=src%2Fa+b.ts&line=3'
		);
		const there = new URL(lineAt(HERE, 'a.ts', 1), HERE);
		expect(idIn(there, 'spec', 'FR-1')).toBe('/app/features/1?show=spec&at=7#FR-1');
	});

	test('name one line as one', () => {
		expect([linesOf(3, 3), linesOf(3, 9)]).toEqual(['3', '3–9']);
	});
});
