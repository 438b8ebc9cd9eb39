import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
	{ ignores: ['.svelte-kit/', 'dist/', 'node_modules/', 'src/lib/api/generated/'] },
	js.configs.recommended,
	...ts.configs.strict,
	...svelte.configs['flat/recommended'],
	...svelte.configs['flat/prettier'],
	{
		languageOptions: { globals: { ...globals.browser, ...globals.node } },
		rules: {
			// The compiler tells undefined names, and knows the types of the browser.
			'no-undef': 'off',
			// The app is served from the root: there is no base path to resolve.
			'svelte/no-navigation-without-resolve': 'off',
			'@typescript-eslint/no-unused-vars': [
				'error',
				{ argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' }
			],
			// Maps and sets that nothing on a page is drawn from are plain ones.
			'svelte/prefer-svelte-reactivity': 'off',
			eqeqeq: ['error', 'always'],
			'no-restricted-syntax': [
				'error',
				{ selector: 'TSEnumDeclaration', message: 'A union of literals is enough.' }
			]
		}
	},
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] } }
	}
);
