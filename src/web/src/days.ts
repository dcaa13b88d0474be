// The days of a calendar, in weeks. Pure. A day is a text: `2026-11-20`.

const DAY = 86_400_000;

export interface CalendarDay {
  day: string;
  sessions: number;
  /** From 0 (Monday) to 6. */
  weekday: number;
  week: number;
}

const midnight = (day: string) => Date.parse(`${day}T00:00:00Z`);
const weekdayOf = (ms: number) => (Math.round(ms / DAY) + 3) % 7;

/** Returns all days from the first to the last; of more than `weeks` weeks, only the last ones. */
export function calendar(days: { day: string; sessions: number }[], weeks: number): CalendarDay[] {
  const first = days[0];
  const last = days[days.length - 1];
  if (!first || !last) return [];
  const end = midnight(last.day);
  const monday = (ms: number) => ms - weekdayOf(ms) * DAY;
  const start = Math.max(monday(midnight(first.day)), monday(end) - (weeks - 1) * 7 * DAY);
  const counts = new Map(days.map(({ day, sessions }) => [day, sessions]));
  const found: CalendarDay[] = [];
  for (let at = start; at <= end; at += DAY) {
    const day = new Date(at).toISOString().slice(0, 10);
    const weekday = weekdayOf(at);
    found.push({ day, sessions: counts.get(day) ?? 0, weekday, week: Math.round((at - start) / DAY - weekday) / 7 });
  }
  return found;
}

/** How dark a day is, from 0 (nothing) to 4. */
export function shade(sessions: number, most: number): number {
  return sessions === 0 ? 0 : Math.max(1, Math.min(4, Math.ceil((sessions / Math.max(4, most)) * 4)));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Returns where to write the names of months: above each month's first week. */
export function months(days: CalendarDay[]): { week: number; name: string }[] {
  const found: { week: number; name: string }[] = [];
  for (const { day, week } of days) {
    const name = MONTHS[Number(day.slice(5, 7)) - 1]!;
    const before = found[found.length - 1];
    if (before?.name === name) continue;
    if (before && week - before.week < 3) {
      if (found.length === 1) found[0] = { week, name };
      continue;
    }
    found.push({ week, name });
  }
  return found;
}
