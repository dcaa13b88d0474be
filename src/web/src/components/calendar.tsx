// When work was done: a calendar of sessions and the hours of calls, each with its numbers as a table.
import { useMemo } from "preact/hooks";
import { calendar, months, shade } from "../days.ts";
import { grouped, plural } from "../format.ts";
import type { Stats } from "../types.ts";
import { Scroll } from "./parts.tsx";

const CELL = 13;
const LEFT = 30;
const TOP = 16;
const WEEKS = 53;

export function Calendar({ days }: { days: Stats["days"] }) {
  const cells = useMemo(() => calendar(days, WEEKS), [days]);
  if (cells.length === 0) return null;
  const most = Math.max(...cells.map((cell) => cell.sessions));
  const weeks = cells[cells.length - 1]!.week + 1;
  const busiest = cells.find((cell) => cell.sessions === most)!;
  const sum = cells.reduce((sum, cell) => sum + cell.sessions, 0);
  const active = cells.filter((cell) => cell.sessions > 0);
  const words = `${plural(sum, "session")} on ${plural(active.length, "day")}; most on ${busiest.day}: ${grouped(most)}.`;
  return (
    <figure class="chart">
      <figcaption>
        Sessions by day <span class="faint">{words}</span>
      </figcaption>
      <Scroll label="Calendar">
        <svg class="calendar" role="img" aria-label={`Calendar. ${words}`} width={LEFT + weeks * CELL + 2} height={TOP + 7 * CELL + 2}>
          {months(cells).map(({ week, name }) => (
            <text key={week} x={LEFT + week * CELL} y={10}>
              {name}
            </text>
          ))}
          {["Mon", "Wed", "Fri"].map((name, i) => (
            <text key={name} x={0} y={TOP + i * 2 * CELL + 10}>
              {name}
            </text>
          ))}
          {cells.map((cell) => (
            <rect
              key={cell.day}
              class={`shade-${shade(cell.sessions, most)}`}
              x={LEFT + cell.week * CELL}
              y={TOP + cell.weekday * CELL}
              width={CELL - 2}
              height={CELL - 2}
              rx={2.5}
            >
              <title>{`${cell.day}: ${plural(cell.sessions, "session")}`}</title>
            </rect>
          ))}
        </svg>
      </Scroll>
      <details>
        <summary>As a table</summary>
        <div class="short-scroll" tabIndex={0} role="region" aria-label="Sessions by day">
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col" class="right">
                  Sessions
                </th>
              </tr>
            </thead>
            <tbody>
              {days.map(({ day, sessions }) => (
                <tr key={day}>
                  <th scope="row" class="num">
                    {day}
                  </th>
                  <td class="num right">{grouped(sessions)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

const HOURS_HEIGHT = 88;
const HOUR = 22;

export function Hours({ hours }: { hours: number[] }) {
  const most = Math.max(...hours, 0);
  if (most === 0) return null;
  const busiest = hours.indexOf(most);
  const two = (hour: number) => String(hour).padStart(2, "0");
  const words = `Most at ${two(busiest)}:00: ${plural(most, "call")}.`;
  return (
    <figure class="chart">
      <figcaption>
        Calls by hour <span class="faint">{words} In the local time of the machine that made this page.</span>
      </figcaption>
      <Scroll label="Hours">
        <svg class="hours" role="img" aria-label={`Calls by hour of the day. ${words}`} width={24 * HOUR} height={HOURS_HEIGHT + 18}>
          {hours.map((calls, hour) => {
            const height = calls === 0 ? 0 : Math.max(2, (calls / most) * HOURS_HEIGHT);
            return (
              <g key={hour}>
                <title>{`${two(hour)}:00: ${plural(calls, "call")}`}</title>
                <rect class="slot" x={hour * HOUR} y={0} width={HOUR} height={HOURS_HEIGHT} />
                <rect class="bar" x={hour * HOUR + 2} y={HOURS_HEIGHT - height} width={HOUR - 4} height={height} rx={2} />
                {hour % 3 === 0 && (
                  <text x={hour * HOUR + HOUR / 2} y={HOURS_HEIGHT + 13} text-anchor="middle">
                    {two(hour)}
                  </text>
                )}
              </g>
            );
          })}
          <line x1={0} x2={24 * HOUR} y1={HOURS_HEIGHT + 0.5} y2={HOURS_HEIGHT + 0.5} />
        </svg>
      </Scroll>
      <details>
        <summary>As a table</summary>
        <div class="short-scroll" tabIndex={0} role="region" aria-label="Calls by hour">
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Hour</th>
                <th scope="col" class="right">
                  Calls
                </th>
              </tr>
            </thead>
            <tbody>
              {hours.map((calls, hour) => (
                <tr key={hour}>
                  <th scope="row" class="num">
                    {two(hour)}:00
                  </th>
                  <td class="num right">{grouped(calls)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
