/** Sums of what was spent, as the usage page compares them. */
import type { Spent, Tokens } from '#lib/api/index.ts';

/** What bars compare: money, or tokens where nothing costs money. */
export type Measure = 'cost' | 'tokens';

/** All that went in, however it was billed. */
export const tokensIn = (tokens: Tokens | undefined): number =>
	(tokens?.input ?? 0) + (tokens?.cache_read ?? 0) + (tokens?.cache_write ?? 0);

const tokensOf = (tokens: Tokens | undefined): number => tokensIn(tokens) + (tokens?.output ?? 0);

export const costOf = (spent: Spent): string => spent.cost_usd ?? '0';

export const amountOf = (spent: Spent, measure: Measure): number =>
	measure === 'cost' ? Number(costOf(spent)) : tokensOf(spent.tokens);

/** How much of it does not count any more. */
export const lostOf = (spent: Spent, measure: Measure): number =>
	measure === 'cost' ? Number(spent.superseded_usd ?? '0') : tokensOf(spent.superseded_tokens);
