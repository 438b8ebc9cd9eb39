/** Where to go on afterwards: only a path of this app, never another site's address. */
export function pathOf(asked: string | null): string | null {
	return asked !== null && /^\/app(\/|$|\?)/.test(asked) ? asked : null;
}

/** The settings, with the way back to where the person was. */
export const settingsFrom = (url: { pathname: string; search: string }): string =>
	`/app/settings?back=${encodeURIComponent(url.pathname + url.search)}`;
