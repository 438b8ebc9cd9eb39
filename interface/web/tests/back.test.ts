import { expect, test } from 'vitest';
import { pathOf, settingsFrom } from '#lib/back.ts';

test.each(['/app', '/app/features/1', '/app?a=1', '/app/features?id=1&part=log'])(
	'%s is a way back',
	(asked) => {
		expect(pathOf(asked)).toBe(asked);
	}
);

test.each([
	null,
	'',
	'/',
	'/apple',
	'app',
	'//app',
	'//evil.example/app',
	'https://evil.example/app',
	'javascript:alert(1)',
	'/login',
	' /app'
])('%j is none', (asked) => {
	expect(pathOf(asked)).toBeNull();
});

test('the way to the settings knows the way back', () => {
	const settings = settingsFrom({ pathname: '/app/features', search: '?id=1&part=a b' });
	expect(pathOf(new URL(settings, 'http://localhost').searchParams.get('back'))).toBe(
		'/app/features?id=1&part=a b'
	);
});
