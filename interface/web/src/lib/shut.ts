/**
 * Close a dialog and let go of the focus inside: where nothing had it before, the browser leaves it
 * on what is hidden now until it draws again, and a key pressed meanwhile would go there.
 */
export function shut(dialog: HTMLDialogElement): void {
	dialog.close();
	const focused = document.activeElement;
	if (focused instanceof HTMLElement && dialog.contains(focused)) focused.blur();
}
