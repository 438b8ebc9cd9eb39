/** What a person takes along as proof: the log as lines, and the certificate of what is shown. */
import { answerOf, listEvents, type Certificate } from '#lib/api/index.ts';
import { saved } from '#lib/save.ts';

const LINES = 'application/x-ndjson';

/** The whole log as CloudEvents lines, as the service sends it: not a byte is changed here. */
export async function saveLog(feature: string): Promise<void> {
	const asked = listEvents({
		path: { feature_id: feature },
		headers: { Accept: LINES },
		parseAs: 'blob'
	});
	saved((await answerOf(asked)) as unknown as Blob, `events-${feature}.ndjson`);
}

export function saveCertificate(certificate: Certificate): void {
	const text = `${JSON.stringify(certificate, null, 2)}\n`;
	saved(
		new Blob([text], { type: 'application/json' }),
		`certificate-${certificate.feature_id}.json`
	);
}
