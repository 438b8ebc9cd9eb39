/** Colours for code, loaded when the first piece of code is shown. */
import type { HighlighterCore, ThemedToken } from 'shiki/core';

const LANGUAGES: Record<string, string> = {
	ts: 'typescript',
	typescript: 'typescript',
	js: 'typescript',
	javascript: 'typescript',
	tsx: 'typescript',
	sql: 'sql',
	json: 'json',
	yaml: 'yaml',
	yml: 'yaml',
	html: 'html',
	css: 'css'
};

const TOO_LONG = 200_000;
const PREFIX = '--tok-';

let loading: Promise<HighlighterCore> | null = null;

async function load(): Promise<HighlighterCore> {
	const { createHighlighterCore, createCssVariablesTheme } = await import('shiki/core');
	const { createJavaScriptRegexEngine } = await import('shiki/engine/javascript');
	return await createHighlighterCore({
		themes: [createCssVariablesTheme({ name: 'classes', variablePrefix: PREFIX })],
		langs: [
			import('shiki/langs/typescript.mjs'),
			import('shiki/langs/sql.mjs'),
			import('shiki/langs/json.mjs'),
			import('shiki/langs/yaml.mjs'),
			import('shiki/langs/html.mjs'),
			import('shiki/langs/css.mjs')
		],
		engine: createJavaScriptRegexEngine({ forgiving: true })
	});
}

/** The language of a file, or of a fence's first word; null if it stays without colours. */
export const languageOf = (name: string): string | null =>
	LANGUAGES[name.split('.').at(-1)?.toLowerCase() ?? ''] ?? null;

/** Code as text nodes and classed spans; without colours where there is no grammar for it. */
export async function coloured(code: string, language: string | null): Promise<DocumentFragment> {
	const out = document.createDocumentFragment();
	if (language === null || code.length > TOO_LONG) {
		out.append(code);
		return out;
	}
	const highlighter = await (loading ??= load());
	const lines = highlighter.codeToTokensBase(code, { lang: language, theme: 'classes' });
	lines.forEach((line, place) => {
		if (place > 0) out.append('\n');
		for (const token of line) out.append(nodeOf(token));
	});
	return out;
}

function nodeOf(token: ThemedToken): Node {
	const kind = classOf(token.color);
	if (kind === null) return document.createTextNode(token.content);
	const span = document.createElement('span');
	span.className = kind;
	span.textContent = token.content;
	return span;
}

function classOf(colour: string | undefined): string | null {
	const name = /--tok-token-([a-z]+)/.exec(colour ?? '')?.[1];
	return name && name !== 'punctuation' && name !== 'link' ? `tok-${name}` : null;
}
