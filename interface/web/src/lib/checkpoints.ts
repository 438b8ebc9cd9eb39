/** Places of a feature to go back to, and what follows from where they stand. */
import { answerOf, listCheckpoints, type Checkpoint } from '#lib/api/index.ts';
import { allPages } from '#lib/live/feature.svelte.ts';

export function checkpointsOf(feature: string, min_version?: number): Promise<Checkpoint[]> {
	const path = { feature_id: feature };
	const wait = min_version ? { min_version } : {};
	return allPages((cursor) =>
		answerOf(listCheckpoints({ path, query: { ...wait, limit: 200, cursor } }))
	);
}

/** The document that a text of a comparison is: texts go by the names of their files. */
export const documentOf = (name: string): string => name.replace(/\.md$/, '').replaceAll('-', '_');

/** The last place at or before a version. */
export const placeBefore = (
	points: readonly Checkpoint[],
	version: number
): Checkpoint | undefined => points.findLast((point) => point.version <= version);

/** Where the document was written before the one that stands at a version; undefined if never. */
export function writtenBefore(
	points: readonly Checkpoint[],
	version: number
): Checkpoint | undefined {
	const now = points.find((point) => point.version === version);
	return points.findLast((point) => point.version < version && point.event === now?.event);
}
