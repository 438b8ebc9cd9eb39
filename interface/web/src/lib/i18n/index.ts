/** The words of the app. One language at a time; another one is another file of the same shape. */
import { en } from './en';

export const t = en;
