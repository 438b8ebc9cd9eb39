/** Where lines of files and parts of a feature stand, as addresses of its page. */

/** The lines of a file; the range as people say it. */
export const linesOf = (first: number, last: number): string =>
	first === last ? String(first) : `${first}–${last}`;

/** This page's address with a file open at a line. */
export function lineAt(here: Readonly<Pick<URL, 'href'>>, path: string, line: number): string {
	const there = new URL(here.href);
	there.searchParams.set('show', 'files');
	there.searchParams.set('file', path);
	there.searchParams.set('line', String(line));
	there.hash = '';
	return there.pathname + there.search;
}

/** This page's address with a document open at an id. */
export function idIn(here: Readonly<Pick<URL, 'href'>>, part: string, id: string): string {
	const there = new URL(here.href);
	there.searchParams.set('show', part);
	for (const name of ['file', 'line']) there.searchParams.delete(name);
	there.hash = id;
	return there.pathname + there.search + there.hash;
}

/** Which line of a block of code was clicked: its lines are equally high and never wrap. */
export function lineUnder(block: HTMLElement, clientY: number): number {
	const style = getComputedStyle(block);
	const height = parseFloat(style.lineHeight);
	const top = block.getBoundingClientRect().top + parseFloat(style.paddingTop) + block.clientTop;
	return Math.max(1, Math.floor((clientY - top) / height) + 1);
}
