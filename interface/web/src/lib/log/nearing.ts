/** Reads on when the end of a list comes near; as a Svelte action on what stands at the end. */
export interface End {
	more: () => void;
	/** How many there are: after each page the end may still be in sight, of which nobody tells. */
	length: number;
}

export function nearing(node: HTMLElement, end: End) {
	let now = end;
	const watch = new IntersectionObserver((seen) => seen.at(-1)?.isIntersecting && now.more(), {
		rootMargin: '600px'
	});
	watch.observe(node);
	return {
		update: (next: End) => {
			now = next;
			watch.unobserve(node);
			watch.observe(node);
		},
		destroy: () => watch.disconnect()
	};
}
