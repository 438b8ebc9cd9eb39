import { defineConfig } from '@hey-api/openapi-ts';

/** Types and functions of the API, from the document that the service itself serves. */
export default defineConfig({
	input: '../openapi.json',
	// Its own way of finding a tsconfig knows nothing of SvelteKit's.
	output: { path: 'src/lib/api/generated', tsConfigPath: null },
	plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk']
});
