/** The finished code, as a file to keep: the zip, or the git bundle with its history. */
import { answerOf, download, type DownloadFormat } from '#lib/api/index.ts';
import { saved } from '#lib/save.ts';

const SUFFIX: Record<DownloadFormat, string> = { zip: 'zip', git: 'bundle' };

/** A file's name from a title: lower case, without spaces, never empty. */
export function nameOf(title: string, format: DownloadFormat): string {
	const plain = title
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, '-')
		.slice(0, 60)
		.replace(/^-|-$/g, '');
	return `${plain || 'feature'}.${SUFFIX[format]}`;
}

/** Fetch the zip of code whose reviews came to no verdict. Throws Refusal. */
export async function deliverAsNotPassed(feature: string, title: string): Promise<void> {
	const query = { format: 'zip' as const, not_passed: true };
	const file = await answerOf(download({ path: { feature_id: feature }, query, parseAs: 'blob' }));
	saved(file as unknown as Blob, nameOf(`${title} not passed`, 'zip'));
}

/** Fetch it, of a past version if one is named, and hand it to the browser. Throws Refusal. */
export async function deliver(
	feature: string,
	title: string,
	format: DownloadFormat,
	version: number | null = null
): Promise<void> {
	const query = { format, ...(version === null ? {} : { version }) };
	const file = await answerOf(download({ path: { feature_id: feature }, query, parseAs: 'blob' }));
	saved(file as unknown as Blob, nameOf(title, format));
}
