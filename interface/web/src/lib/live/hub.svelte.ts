/**
 * One live stream for all tabs of a person: one tab reads, and passes on to the others.
 *
 * Invariant: however many tabs are open, one stream is, because a browser opens six connections to a
 * service and no more. The reading tab is whoever holds the lock; when it closes, the next takes over
 * and every page reads its state again.
 */
import { session, type TenantLiveData } from '#lib/api/index.ts';
import { t } from '#lib/i18n/index.ts';
import { toasts } from '#lib/toasts.svelte.ts';
import { frames, StreamRefused, type Frame } from './sse';

/** All features, or one by its id. */
export type Topic = 'all' | (string & {});

type TabMessage =
	{ kind: 'join' } | { kind: 'state'; connected: boolean } | { kind: 'frame'; frame: Frame };

interface Listener {
	onFrame: (frame: Frame) => void;
	/** What was missed is not known: read the state anew. */
	onAgain: () => void;
	/** The service was restored to an earlier state: forget what it no longer knows. */
	onSetBack?: () => void;
}

const STREAM: TenantLiveData['url'] = '/api/live';
const SET_BACK = 'set_back';
/** Streams end and begin again as a matter of course: only a longer silence is told. */
const SILENT_MS = 2_500;

class Hub {
	/** Whether the service has been silent for a while. */
	lost = $state(false);
	#subject = '';
	#connected = false;
	#channel: BroadcastChannel | null = null;
	#listeners = new Map<Topic, Set<Listener>>();
	#leading: AbortController | null = null;
	#lockWait: AbortController | null = null;
	#silence: ReturnType<typeof setTimeout> | undefined;

	/** Listen to a topic; returns how to stop. */
	listen(topic: Topic, listener: Listener): () => void {
		this.#begin();
		const listeners = this.#listeners.get(topic) ?? new Set();
		listeners.add(listener);
		this.#listeners.set(topic, listeners);
		return () => {
			listeners.delete(listener);
			if (listeners.size === 0 && this.#listeners.get(topic) === listeners) {
				this.#listeners.delete(topic);
			}
		};
	}

	/** End everything: another person, or nobody, is signed in now. */
	end(): void {
		clearTimeout(this.#silence);
		this.#silence = undefined;
		this.#lockWait?.abort();
		this.#leading?.abort();
		this.#leading = null;
		this.#channel?.close();
		this.#channel = null;
		this.#subject = '';
		this.#connected = false;
		this.lost = false;
	}

	#begin(): void {
		if (this.#subject === session.subject && this.#channel) return;
		this.end();
		this.#subject = session.subject;
		const name = `bp-live-${this.#subject}`;
		this.#channel = new BroadcastChannel(name);
		this.#channel.addEventListener('message', (message: MessageEvent<TabMessage>) =>
			this.#receive(message.data)
		);
		this.#channel.postMessage({ kind: 'join' } satisfies TabMessage);
		this.#lockWait = new AbortController();
		const { signal } = this.#lockWait;
		const lead = () => this.#lead();
		if (navigator.locks) {
			navigator.locks.request(name, { signal }, lead).catch(() => undefined);
		} else {
			void lead();
		}
	}

	/** Read for everybody, until this tab closes or the person leaves. */
	async #lead(): Promise<void> {
		const leading = new AbortController();
		this.#leading = leading;
		const onState = (connected: boolean) => this.#tell({ kind: 'state', connected });
		const token = (refused: boolean) => session.token(refused);
		const source = frames(`${STREAM}?words=true`, token, leading.signal, onState);
		try {
			for await (const frame of source) this.#tell({ kind: 'frame', frame });
		} catch (error) {
			if (!(error instanceof StreamRefused)) throw error;
			onState(false);
		} finally {
			if (this.#leading === leading) this.#leading = null;
		}
	}

	/** To all tabs, this one included. */
	#tell(message: TabMessage): void {
		this.#channel?.postMessage(message);
		this.#receive(message);
	}

	#receive(message: TabMessage): void {
		switch (message.kind) {
			case 'join':
				if (this.#leading) this.#tell({ kind: 'state', connected: this.#connected });
				break;
			case 'state':
				this.#standing(message.connected);
				break;
			case 'frame':
				this.#pass(message.frame);
				break;
		}
	}

	#standing(connected: boolean): void {
		this.#connected = connected;
		if (connected) {
			clearTimeout(this.#silence);
			this.#silence = undefined;
			this.lost = false;
		} else {
			this.#silence ??= setTimeout(() => (this.lost = true), SILENT_MS);
		}
	}

	/** What was recorded, to whoever lists or shows it; passing words only to whoever shows it. */
	#pass(frame: Frame): void {
		const feature = (frame.data as { feature_id?: string }).feature_id;
		if (feature !== undefined) {
			if (frame.id !== null) this.#listeners.get('all')?.forEach((one) => one.onFrame(frame));
			this.#listeners.get(feature)?.forEach((one) => one.onFrame(frame));
		} else if (frame.id !== null) {
			if (frame.event === SET_BACK) {
				toasts.say(t.setBack, { tone: 'bad' });
				for (const listeners of this.#listeners.values())
					listeners.forEach((one) => one.onSetBack?.());
			}
			// A stream begins: nobody has received what was said before.
			for (const listeners of this.#listeners.values()) listeners.forEach((one) => one.onAgain());
		}
	}
}

export const hub = new Hub();
