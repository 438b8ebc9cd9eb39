/**
 * Who is signed in. The access token lives in this module's memory and nowhere else; the refresh
 * token is a cookie that no script sees.
 *
 * Invariant: refresh tokens are good once, so over all tabs only one asks for a new one at a time.
 */
import {
	logIn,
	logOut,
	refresh as askAgain,
	signUp,
	type Credentials,
	type TokenAnswer
} from './generated';
import { client } from './generated/client.gen';
import { patiently } from './patience';
import { Refusal, answerOf } from './refusal';

const EARLY_MS = 60_000;
const LOCK = 'bp-refresh';
const CHANNEL = 'bp-session';
/** Says that this browser has signed in; nothing about who, and no secret. */
const MARK = 'signed-in';

type Standing = 'unknown' | 'in' | 'out';

class Session {
	standing = $state<Standing>('unknown');
	/** Whether it ended without this tab's person wanting it. */
	hasEnded = $state(false);
	/** The tenant's person, as the token names them: tells tabs of different people apart. */
	subject = $state('');
	#token = '';
	#until = 0;
	#refreshing: Promise<boolean> | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(CHANNEL);

	constructor() {
		client.setConfig({ auth: () => this.token(), fetch: (asked) => patiently(asked as Request) });
		// A token that was good a moment ago: the session was ended elsewhere, or goes on with a new one.
		client.interceptors.response.use((answer, request) => {
			const sent = request.headers.get('authorization');
			if (answer.status === 401 && sent === `Bearer ${this.#token}`) {
				void this.restore(true).catch(() => undefined);
			}
			return answer;
		});
		this.#channel?.addEventListener('message', () => this.#forget());
	}

	/** A token that is good for a while yet; asks for a new one when it is not, or was refused. */
	async token(refused = false): Promise<string> {
		const isOver = refused || Date.now() > this.#until;
		if (this.standing === 'in' && isOver) await this.restore(true);
		return this.#token;
	}

	/** Whether it is worth asking: a browser that never signed in has no cookie. */
	get isLikely(): boolean {
		return localStorage.getItem(MARK) !== null;
	}

	/** Take up the session of the cookie; whether there is one. */
	restore(anew = false): Promise<boolean> {
		if (this.standing === 'in' && !anew) return Promise.resolve(true);
		this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null));
		return this.#refreshing;
	}

	async signUp(who: Credentials): Promise<void> {
		this.#take(await answerOf(signUp({ body: who, auth: () => '' })));
	}

	async logIn(who: Credentials): Promise<void> {
		this.#take(await answerOf(logIn({ body: who, auth: () => '' })));
	}

	async logOut(): Promise<void> {
		await answerOf(logOut({ auth: () => '' }));
		this.#forget();
		// What was being typed is this person's: whoever signs in next in this tab must not see it.
		sessionStorage.clear();
		this.#channel?.postMessage('out');
	}

	async #refresh(): Promise<boolean> {
		const ask = async () => {
			try {
				this.#take(await answerOf(askAgain({ auth: () => '' })));
				return true;
			} catch (error) {
				// Only a plain no ends the session; a service that is away is asked again.
				if (!(error instanceof Refusal) || error.status !== 401) throw error;
				this.hasEnded = this.standing === 'in';
				this.#forget();
				return false;
			}
		};
		return navigator.locks ? await navigator.locks.request(LOCK, ask) : await ask();
	}

	#take(answer: TokenAnswer): void {
		this.#token = answer.access_token;
		this.#until = Date.now() + answer.expires_in * 1000 - EARLY_MS;
		this.subject = subjectOf(answer.access_token);
		this.standing = 'in';
		this.hasEnded = false;
		localStorage.setItem(MARK, '1');
		clearTimeout(this.#timer);
		const wait = Math.max(5_000, this.#until - Date.now());
		this.#timer = setTimeout(() => void this.restore(true).catch(() => undefined), wait);
	}

	#forget(): void {
		clearTimeout(this.#timer);
		this.#token = '';
		this.#until = 0;
		this.subject = '';
		localStorage.removeItem(MARK);
		this.standing = 'out';
	}
}

function subjectOf(token: string): string {
	try {
		const body = token.split('.')[1] ?? '';
		return String(JSON.parse(atob(body.replaceAll('-', '+').replaceAll('_', '/'))).sub ?? '');
	} catch {
		return '';
	}
}

export const session = new Session();
