/**
 * Text of agents and people as HTML. It is hostile until proven otherwise.
 *
 * Invariant: no tag of the source reaches the page, no image is fetched, and a link is followed only
 * to http, https or mailto, by a click; what comes out is cleaned once more by another library.
 */
import DOMPurify from 'dompurify';
import MarkdownIt from 'markdown-it';

const SAFE_LINK = /^(https?:\/\/|mailto:)/i;

const md = new MarkdownIt({ html: false, linkify: false, typographer: false });
// Never fetched: an image is named by its words.
md.renderer.rules.image = (tokens, place) => md.utils.escapeHtml(tokens[place]?.content ?? '');
md.validateLink = (url) => SAFE_LINK.test(url.trim());

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
	if (node.nodeName === 'A') {
		node.setAttribute('rel', 'noopener noreferrer nofollow');
		node.setAttribute('target', '_blank');
	}
	// Scrolls sideways, so the keyboard must reach it.
	if (node.nodeName === 'PRE') node.setAttribute('tabindex', '0');
});

export function render(source: string): string {
	return DOMPurify.sanitize(md.render(source), {
		ALLOWED_TAGS: [
			'a',
			'blockquote',
			'br',
			'code',
			'del',
			'em',
			'h1',
			'h2',
			'h3',
			'h4',
			'h5',
			'h6',
			'hr',
			'li',
			'ol',
			'p',
			'pre',
			's',
			'strong',
			'table',
			'tbody',
			'td',
			'th',
			'thead',
			'tr',
			'ul'
		],
		ALLOWED_ATTR: ['href', 'class', 'start'],
		ALLOWED_URI_REGEXP: SAFE_LINK,
		ALLOW_DATA_ATTR: false
	});
}
