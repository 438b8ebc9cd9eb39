/** The finished code, as a file to keep: the zip, or the git bundle with its history. */
import {
	answerOf,
	download,
	letter,
	type DownloadFormat,
	type LetterFormat
} from '#lib/api/index.ts';
import { namedIn, saved } from '#lib/save.ts';

const SUFFIX: Record<DownloadFormat, string> = { zip: 'zip', git: 'bundle' };

/** Fetch the zip of code whose reviews came to no verdict. Throws Refusal. */
export async function deliverAsNotPassed(feature: string): Promise<void> {
	await take(feature, { format: 'zip', not_passed: true });
}

/** Fetch it, of a past version if one is named, and hand it to the browser. Throws Refusal. */
export async function deliver(
	feature: string,
	format: DownloadFormat,
	version: number | null = null
): Promise<void> {
	await take(feature, { format, ...(version === null ? {} : { version }) });
}

/** Fetch the page for whoever will run it. Throws Refusal. */
export async function handOver(feature: string, format: LetterFormat): Promise<void> {
	const query = { format };
	const asked = await letter({ path: { feature_id: feature }, query, parseAs: 'blob' });
	await keep(asked, `letter.${format}`);
}

interface Wanted {
	format: DownloadFormat;
	not_passed?: boolean;
	version?: number;
}

async function take(feature: string, query: Wanted): Promise<void> {
	const asked = await download({ path: { feature_id: feature }, query, parseAs: 'blob' });
	await keep(asked, `code.${SUFFIX[query.format]}`);
}

interface Answered {
	data?: unknown;
	error?: unknown;
	response?: Response;
}

async function keep(asked: Answered, otherwise: string): Promise<void> {
	const file = await answerOf(Promise.resolve(asked));
	saved(file as Blob, namedIn(asked.response?.headers.get('content-disposition'), otherwise));
}
