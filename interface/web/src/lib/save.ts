/** Hand a file to the browser's own download. */
export function saved(content: Blob, name: string): void {
	const url = URL.createObjectURL(content);
	const link = document.createElement('a');
	link.href = url;
	link.download = name;
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The name that the service gives a file (RFC 6266), in any script; the second if it gives none. */
export function namedIn(disposition: string | null | undefined, otherwise: string): string {
	const found = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '')?.[1];
	try {
		return found ? decodeURIComponent(found) : otherwise;
	} catch {
		return otherwise;
	}
}
