import { defineConfig } from 'vitest/config';

/**
 * For modules without components and runes: they run as they are, without SvelteKit. What needs a
 * page is tested in a browser, by the service's own tests.
 */
export default defineConfig({
	test: {
		include: ['tests/**/*.test.ts'],
		environment: 'node',
		expect: { requireAssertions: true }
	}
});
