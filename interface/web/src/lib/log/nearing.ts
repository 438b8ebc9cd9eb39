/** Reads on when the end of a list comes near; as a Svelte action on what stands at the end. */
export function nearing(node: HTMLElement, more: () => void) {
	let now = more;
	const watch = new IntersectionObserver((seen) => seen[0]?.isIntersecting && now(), {
		rootMargin: '600px'
	});
	watch.observe(node);
	return {
		update: (next: () => void) => {
			now = next;
			// Still in sight after a page came: the observer says nothing by itself.
			watch.unobserve(node);
			watch.observe(node);
		},
		destroy: () => watch.disconnect()
	};
}
