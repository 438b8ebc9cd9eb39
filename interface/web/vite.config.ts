import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig, type Plugin } from 'vite';
import manifest from './package.json' with { type: 'json' };

/** The service that `npm run dev` talks to. */
const SERVICE = 'http://127.0.0.1:8000';

/**
 * The page's policy lets no style attribute through, and SvelteKit's announcer for screen readers
 * comes with one: app.css says the same by its id.
 */
const announcer: Plugin = {
	name: 'announcer-without-style-attribute',
	enforce: 'pre',
	transform(code, id) {
		if (!id.endsWith('/runtime/components/root.svelte')) return undefined;
		const without = code.replace(/(id="svelte-announcer"[^>]*?)\sstyle="[^"]*"/, '$1');
		if (without === code) throw new Error('the announcer has changed: look at vite.config.ts');
		return without;
	}
};

export default defineConfig({
	plugins: [
		announcer,
		tailwindcss(),
		sveltekit({
			compilerOptions: {
				runes: ({ filename }) => (filename.includes('node_modules') ? undefined : true)
			},
			// Committed as it is built: the service compresses it, and names its hashes, at its start.
			adapter: adapter({ pages: 'dist', assets: 'dist', fallback: '200.html', precompress: false }),
			// Fixed, so that the same source gives the same bytes.
			version: { name: manifest.version },
			paths: { relative: false }
		})
	],
	build: { sourcemap: false },
	server: { proxy: { '/api': SERVICE, '/auth': SERVICE } }
});
