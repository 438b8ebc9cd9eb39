/**
 * What can be done on the page that is shown, for the command palette.
 *
 * Invariant: a page takes back what it offers when it is left, so that nothing stays from before.
 */
export interface Offer {
	id: string;
	label: string;
	run: () => unknown;
}

class Offers {
	here = $state.raw<readonly Offer[]>([]);

	/** Offer these instead of what was offered before; returns how to take them back. */
	make(offers: readonly Offer[]): () => void {
		this.here = offers;
		return () => {
			if (this.here === offers) this.here = [];
		};
	}
}

export const offers = new Offers();
