/** What a call answers, or the problem that came instead, in words that say what to do. */
import type { Problem } from './generated';
import { t } from '#lib/i18n/index.ts';

/** The service said no, or could not be reached. */
export class Refusal extends Error {
	constructor(
		readonly status: number,
		readonly problem: Problem | null
	) {
		super(problem ? said(problem) : status === 0 ? t.errors.unreachable : t.errors.odd);
	}

	get code(): Problem['code'] | null {
		return this.problem?.code ?? null;
	}

	/** What is wrong with a field of the form, by its JSON pointer. */
	fault(pointer: string): string | undefined {
		return this.problem?.errors?.find((one) => one.pointer === pointer)?.detail;
	}
}

/** In this app's words where it has any; in the service's where those are for people, too. */
function said(problem: Problem): string {
	const own = (t.problem as Partial<Record<Problem['code'], string>>)[problem.code];
	const words = own ?? problem.errors?.[0]?.detail ?? (problem.detail || problem.title);
	if (problem.status === 429 && problem.retry_after_seconds) {
		return `${words} ${t.errors.again(problem.retry_after_seconds)}`;
	}
	return problem.status >= 500 && problem.status !== 503 && problem.request_id
		? `${words} ${t.errors.number(problem.request_id)}`
		: words;
}

interface Answer<T> {
	data?: T;
	error?: unknown;
	response?: Response;
}

/** The body of an answer; throws Refusal. */
export async function answerOf<T>(asked: PromiseLike<Answer<T>>): Promise<T> {
	const { data, error, response } = await asked;
	if (!response) throw new Refusal(0, null);
	if (response.ok) return data as T;
	throw new Refusal(response.status, isProblem(error) ? error : null);
}

function isProblem(value: unknown): value is Problem {
	return typeof value === 'object' && value !== null && 'code' in value && 'detail' in value;
}

/** Whether the way on leads through the settings. */
export const needsKey = (error: unknown): boolean =>
	error instanceof Refusal && error.code === 'api_key_missing';

/** One line for people about anything that was thrown. */
export function wordsOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
