import { expect, test } from 'vitest';
import type { DocumentParts } from '#lib/api/index.ts';
import { draftsIn, sayable, sentenceOf, targetsOf } from '#lib/document_parts.ts';

const need = {
	id: 'FR-1',
	actor: 'member',
	trigger: 'asks',
	response: 'gets it',
	sources: ['BF-1'],
	criteria: [{ id: 'AC-1', given: 'a', when: 'b', then: 'it is there' }]
};
const about = { gate: 'spec', version: 3, content_sha256: 'ab' } as const;

test('requirements, their criteria and what is kept can be commented on, each once', () => {
	const spec = {
		title: 'Tools',
		summary: 'Lend.',
		requirements: [need],
		entities: [
			{ name: 'Tool', description: 'A tool.', fields: [] },
			{ name: 'Tool', description: 'Again.', fields: [] }
		]
	};
	expect(targetsOf({ ...about, spec } as DocumentParts)).toEqual([
		{ name: 'FR-1', words: 'member: asks → gets it' },
		{ name: 'AC-1', words: 'it is there' },
		{ name: 'Tool', words: 'A tool.' }
	]);
});

test('of a plan its tasks and files, of tests the files and what is not tested', () => {
	const plan = {
		summary: 'x',
		files: [{ path: 'a.ts', purpose: 'starts', task: 'T-1' }],
		tasks: [{ id: 'T-1', title: 'Begin', requirements: [], writes: ['a.ts'] }]
	};
	const tests = {
		summary: 'x',
		files: [{ path: 'tests/a.test.ts', content: 'x', covers: ['FR-1'] }],
		untestable: [{ id: 'AC-1', reason: 'needs eyes' }]
	};
	const names = (parts: object) =>
		targetsOf({ ...about, ...parts } as DocumentParts).map((one) => one.name);
	expect(names({ plan })).toEqual(['T-1', 'a.ts']);
	expect(names({ tests })).toEqual(['tests/a.test.ts', 'AC-1']);
	expect(sentenceOf(need)).toBe('member: asks → gets it');
});

test('what says nothing is not sent, and what was kept badly is nothing', () => {
	const draft = { target: 'FR-1', kind: 'wrong', text: ' 只限会员 ' } as const;
	expect(sayable([draft, { ...draft, text: ' ?! ' }])).toEqual([{ ...draft, text: '只限会员' }]);
	expect(draftsIn('not json')).toEqual([]);
	expect(draftsIn('{}')).toEqual([]);
	expect(draftsIn(JSON.stringify([draft]))).toEqual([draft]);
});
