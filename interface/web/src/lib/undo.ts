/** Taking back what was just decided: going back to the place before it, where that is the same. */
import { answerOf, replayFeature, wordsOf, type FeatureView } from '#lib/api/index.ts';
import { checkpointsOf } from './checkpoints';
import { t } from './i18n/index.ts';
import { toasts } from './toasts.svelte';

/**
 * Say what was done, with a way back if there is one: the last place before it, standing where the
 * feature stood. Nothing is lost either way; what an agent has begun meanwhile is stopped.
 *
 * @param text What was done.
 * @param was The feature before it.
 * @param version The first version that it led to.
 * @param undone Called with the version that undoing led to.
 */
export async function sayWithUndo(
	text: string,
	was: FeatureView,
	version: number,
	undone: (version: number) => Promise<void>
): Promise<void> {
	const points = await checkpointsOf(was.id, version).catch(() => []);
	const place = points.findLast((point) => point.version < version);
	const run = async () => {
		try {
			const body = { version: place?.version ?? 1 };
			const path = { feature_id: was.id };
			await undone((await answerOf(replayFeature({ path, body }))).version);
			toasts.say(t.undone, { tone: 'good' });
		} catch (error) {
			toasts.say(wordsOf(error), { tone: 'bad' });
		}
	};
	const undo = place?.status === was.status ? { label: t.undo, run: () => void run() } : undefined;
	toasts.say(text, { tone: 'good', ...(undo ? { undo } : {}) });
}
