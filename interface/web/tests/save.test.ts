import { expect, test } from 'vitest';
import { namedIn } from '#lib/save.ts';

test('a download is called as the service says, in any script', () => {
	const plain = 'attachment; filename="feature-1.zip"';
	expect(namedIn(`${plain}; filename*=UTF-8''${encodeURIComponent('自転車.zip')}`, 'x.zip')).toBe(
		'自転車.zip'
	);
	for (const header of [plain, null, undefined, `${plain}; filename*=UTF-8''%E0%A4%A`]) {
		expect(namedIn(header, 'x.zip')).toBe('x.zip');
	}
});
