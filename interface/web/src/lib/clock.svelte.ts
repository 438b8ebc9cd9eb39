/** The time, as a value that pages may show: one timer for all of them, and none while unseen. */
class Clock {
	now = $state(Date.now());

	constructor() {
		if (typeof window === 'undefined') return;
		setInterval(() => {
			if (!document.hidden) this.now = Date.now();
		}, 1000);
	}
}

export const clock = new Clock();
