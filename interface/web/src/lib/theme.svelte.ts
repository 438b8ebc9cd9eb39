/** Light, dark, or as the system has it. Kept in the browser; static/theme.js reads it first. */
export type Look = 'system' | 'light' | 'dark';

class Theme {
	look = $state<Look>('system');

	constructor() {
		if (typeof document === 'undefined') return;
		const chosen = document.documentElement.dataset['theme'];
		this.look = chosen === 'light' || chosen === 'dark' ? chosen : 'system';
	}

	choose(look: Look): void {
		this.look = look;
		if (look === 'system') {
			delete document.documentElement.dataset['theme'];
			localStorage.removeItem('theme');
		} else {
			document.documentElement.dataset['theme'] = look;
			localStorage.setItem('theme', look);
		}
	}

	/** The other of light and dark than what is seen now. */
	turn(): void {
		const dark = matchMedia('(prefers-color-scheme: dark)').matches;
		const seen = this.look === 'system' ? (dark ? 'dark' : 'light') : this.look;
		this.choose(seen === 'dark' ? 'light' : 'dark');
	}
}

export const theme = new Theme();
