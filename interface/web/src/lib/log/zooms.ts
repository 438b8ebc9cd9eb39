/** How close one may look at a log, as it stands in the address. The first is shown unasked. */
export const ZOOMS = ['story', 'timeline', 'raw'] as const;

export type Zoom = (typeof ZOOMS)[number];

const ALL: readonly string[] = ZOOMS;

export const isZoom = (name: string | null): name is Zoom => name !== null && ALL.includes(name);
