/** The parts of a feature's page, as they stand in its address. */
import type { Documents, FeatureView } from '#lib/api/index.ts';

export const DOCUMENTS = [
	'brief',
	'spec',
	'plan',
	'tests'
] as const satisfies readonly (keyof Documents)[];
export const RESULTS = ['files', 'security_review', 'code_review'] as const;
export const BEHIND = ['talk', 'runs', 'history', 'compare', 'log'] as const;

export type Part = (typeof DOCUMENTS)[number] | (typeof RESULTS)[number] | (typeof BEHIND)[number];

export const PARTS: readonly Part[] = [...DOCUMENTS, ...RESULTS, ...BEHIND];

export const isPart = (name: string | null): name is Part => PARTS.some((part) => part === name);

const REVIEWS = ['security_review', 'code_review'] as const;

/** The reviews that the code did not pass. */
export const failedReviews = (view: FeatureView | null) =>
	REVIEWS.filter((name) => view?.deliverables[name]?.verdict === 'FAIL');

/** The reviews that came to no verdict. */
export const undecidedReviews = (view: FeatureView | null) =>
	REVIEWS.filter((name) => view?.deliverables[name]?.verdict === 'UNDECIDED');

/** A number in the address that counts something, or null. */
export function positive(value: string | null): number | null {
	const number = Number(value);
	return Number.isInteger(number) && number > 0 ? number : null;
}
