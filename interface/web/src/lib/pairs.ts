/**
 * A unified diff as two columns: what was there beside what took its place.
 *
 * Invariant: each column, read alone, is its side's text as far as the diff shows it.
 */
export interface Pair {
	/** A line that only the first side has, or both; null where it has none. */
	first: string | null;
	second: string | null;
	kind: 'same' | 'changed' | 'place';
}

export function pairsOf(diff: string): Pair[] {
	const pairs: Pair[] = [];
	let removed: string[] = [];
	let added: string[] = [];
	const flush = () => {
		for (let place = 0; place < Math.max(removed.length, added.length); place += 1) {
			pairs.push({ first: removed[place] ?? null, second: added[place] ?? null, kind: 'changed' });
		}
		removed = [];
		added = [];
	};
	// Its two first lines name the sides, which the page does in words.
	for (const line of diff.split('\n').slice(2)) {
		const text = line.slice(1);
		if (line.startsWith('-')) removed.push(text);
		else if (line.startsWith('+')) added.push(text);
		else {
			flush();
			if (line.startsWith('@@')) pairs.push({ first: '…', second: '…', kind: 'place' });
			else if (line !== '') pairs.push({ first: text, second: text, kind: 'same' });
		}
	}
	flush();
	return pairs;
}
