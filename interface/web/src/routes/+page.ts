/** The one page that stands before any script runs. */
export const ssr = true;
export const prerender = true;
