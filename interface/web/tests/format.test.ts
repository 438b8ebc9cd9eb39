import { expect, test } from 'vitest';
import { ago, bytes, duration, money, moneyBetween, roughly } from '#lib/format.ts';

test.each([
	[undefined, '$0.00'],
	['0', '$0.00'],
	['0.000000', '$0.00'],
	['0.004', '< $0.01'],
	['0.01', '$0.01'],
	['0.126', '$0.13'],
	['12.5', '$12.50']
])('%s dollars are %s', (decimal, words) => {
	expect(money(decimal)).toBe(words);
});

test('two sums that are written alike are one', () => {
	expect(moneyBetween('0.12', '0.3')).toBe('$0.12–0.30');
	expect(moneyBetween('0.121', '0.122')).toBe('$0.12');
});

test.each([
	[-3, '0 s'],
	[0.4, '0 s'],
	[59.4, '59 s'],
	[59.6, '1 min 0 s'],
	[72, '1 min 12 s'],
	[3_599.6, '1 h 0 min'],
	[7_500, '2 h 5 min']
])('%d seconds last %s', (seconds, words) => {
	expect(duration(seconds)).toBe(words);
});

test.each([
	[12, '12 s'],
	[200, '3 min'],
	[7_300, '2 h'],
	[90_000 * 4, '4 d']
])('%d seconds are roughly %s', (seconds, words) => {
	expect(roughly(seconds)).toBe(words);
});

test.each([
	[999, '999 B'],
	[1_000, '1.0 kB'],
	[1_250, '1.3 kB']
])('%d bytes are %s', (size, words) => {
	expect(bytes(size)).toBe(words);
});

const NOW = Date.parse('2026-01-05T10:00:00Z');
test.each([
	[-30, 'just now'],
	[10, 'just now'],
	[44, 'just now'],
	[50, '50 seconds ago'],
	[120, '2 minutes ago'],
	[2 * 3_600, '2 hours ago'],
	[86_400, 'yesterday'],
	[3 * 86_400, '3 days ago']
])('%d seconds before now are %s', (seconds, words) => {
	expect(ago(new Date(NOW - seconds * 1_000).toISOString(), NOW)).toBe(words);
});

test('what is long ago is a date', () => {
	expect(ago('2025-11-20T12:00:00Z', NOW)).toMatch(/^Nov 20, 2025/);
});
