/** Short words about what has just happened, with a way back where there is one. */
export interface Toast {
	id: number;
	tone: 'good' | 'bad' | 'plain';
	text: string;
	undo?: { label: string; run: () => void };
}

const SHOWN_MS = 6_000;
const BAD_SHOWN_MS = 12_000;

class Toasts {
	items = $state.raw<readonly Toast[]>([]);
	#next = 1;

	say(text: string, more: Partial<Pick<Toast, 'tone' | 'undo'>> = {}): void {
		const toast: Toast = { id: this.#next++, tone: 'plain', text, ...more };
		this.items = [...this.items.slice(-3), toast];
		const shown = toast.tone === 'bad' || toast.undo ? BAD_SHOWN_MS : SHOWN_MS;
		setTimeout(() => this.drop(toast.id), shown);
	}

	drop(id: number): void {
		this.items = this.items.filter((toast) => toast.id !== id);
	}
}

export const toasts = new Toasts();
