// Before the first paint: a chosen theme, or none and the system's is taken (no flash of the other).
try {
	const chosen = localStorage.getItem('theme');
	if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
	// A browser that keeps nothing follows the system.
}
