/**
 * Waits as long as the service says when it is asked too often, and asks again by itself.
 *
 * Invariant: what is answered with 429 has done nothing, so the same request may be sent again; a
 * wait that nobody sits out at a screen is told instead.
 */
import { t } from '#lib/i18n/index.ts';
import { toasts } from '#lib/toasts.svelte.ts';

const LONGEST_WAIT_S = 20;
const TRIES = 4;

/** Seconds that an answer asks to wait; null if it asks for nothing. */
export function waitOf(answer: Response): number | null {
	const seconds = Number(answer.headers.get('retry-after'));
	return answer.status === 429 && seconds > 0 ? seconds : null;
}

/** `fetch`, with patience. What is still refused after it is the caller's to tell. */
export async function patiently(request: Request): Promise<Response> {
	for (let tries = 1; ; tries += 1) {
		const answer = await fetch(request.clone());
		const seconds = waitOf(answer);
		if (seconds === null || seconds > LONGEST_WAIT_S || tries === TRIES) return answer;
		toasts.say(t.errors.waits(seconds));
		await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
	}
}
