/** Numbers and times in the reader's own words. */
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const MOMENT = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });
const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const TIME = new Intl.DateTimeFormat('en', { timeStyle: 'medium' });
const INSTANT = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const COUNT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** Dollars, with as many places as it takes to be more than nothing. */
export function money(decimal: string | undefined): string {
	const value = Number(decimal ?? '0');
	if (value === 0) return '$0.00';
	return value < 0.01 ? '< $0.01' : `$${value.toFixed(2)}`;
}

/** `$0.12–0.30`, of a cent or more; one figure where both are written alike. */
export function moneyBetween(low: string, high: string): string {
	const [from, to] = [money(low), money(high)];
	return from === to ? to : `${from}–${to.slice(1)}`;
}

export const count = (value: number): string => COUNT.format(value);

export function bytes(size: number): string {
	return size < 1000 ? `${size} B` : `${(size / 1000).toFixed(1)} kB`;
}

/** `4 s`, `1 min 12 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
	const whole = Math.max(0, Math.round(seconds));
	if (whole < 60) return `${whole} s`;
	const minutes = Math.floor(whole / 60);
	if (minutes < 60) return `${minutes} min ${whole % 60} s`;
	return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The largest unit alone: `12 s`, `3 min`, `2 h`, `4 d`. */
export function roughly(seconds: number): string {
	if (seconds < 60) return `${Math.round(seconds)} s`;
	if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
	return seconds < 86_400
		? `${Math.round(seconds / 3_600)} h`
		: `${Math.round(seconds / 86_400)} d`;
}

export const day = (at: string): string => DAY.format(new Date(at));
export const timeOfDay = (at: string): string => TIME.format(new Date(at));
export const instant = (at: string): string => INSTANT.format(new Date(at));
export const moment = (at: string): string => MOMENT.format(new Date(at));

export function ago(at: string, now: number): string {
	const seconds = (new Date(at).getTime() - now) / 1000;
	const steps: [number, Intl.RelativeTimeFormatUnit][] = [
		[60, 'second'],
		[3600, 'minute'],
		[86_400, 'hour'],
		[604_800, 'day']
	];
	if (seconds > -45) return 'just now';
	for (const [limit, unit] of steps) {
		if (-seconds < limit) {
			const size = { second: 1, minute: 60, hour: 3600, day: 86_400 }[unit as 'second'] ?? 1;
			return RELATIVE.format(Math.round(seconds / size), unit);
		}
	}
	return MOMENT.format(new Date(at));
}
