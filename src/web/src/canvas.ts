// Draws the lanes of a session on a canvas, and finds what is at a point. Knows nothing of the rest of the page.
import { isProblem, type Call } from "./calls.ts";
import { toolKind, toolName, type ToolKind } from "./format.ts";
import { firstAfter, firstPiece, phases, toAt, toU, type Folding, type Group, type Lane } from "./lanes.ts";
import { clockAt, firstMark, labelOf, STATES, type Mark, type MarkKind, type Session } from "./model.ts";
import { step, ticks } from "./ruler.ts";
import { duration, localDay, localTime } from "./time.ts";

/** The colours of the picture, from the page's style. */
export interface Colours {
  text: string;
  faint: string;
  line: string;
  surface: string;
  band: string;
  onBar: string;
  problem: string;
  permission: string;
  permissionTint: string;
  wait: string;
  accent: string;
  kinds: Record<ToolKind, string>;
}

export interface View {
  u0: number;
  u1: number;
}

const RULER = 24;
const MARKS = 20;
const BAR = 15;
const LANE = BAR + 3;
const GAP = 9;
const LABEL = 15;
/** Pictures narrower than this, in pixels, have their labels above the lanes. */
const NARROW = 640;
const GUTTER = 128;
const FONT = "11px system-ui, sans-serif";
/** How many text widths are remembered at most. */
const MOST_WIDTHS = 5000;

/** The row of a lane. */
interface Row {
  y: number;
  group: Group;
  lane: Lane;
}

/** What is at a point. */
export type Hit = { call: Call; x: number; y: number } | { mark: Mark; x: number; y: number } | null;

export class Picture {
  private ctx: CanvasRenderingContext2D;
  #rows: Row[] = [];
  /** The y of each call's row; -1 if it has none. */
  #rowOfCall: Float64Array;
  #labels: { y: number; height: number; indent: number; words: string; group: Group }[] = [];
  #patterns: { permission: CanvasPattern | string; wait: CanvasPattern | string; lost: CanvasPattern | string };
  #dots: { x: number; mark: Mark }[] = [];
  #signs = Object.fromEntries(Object.entries(SIGNS).map(([kind, { path }]) => [kind, new Path2D(path)])) as Record<MarkKind, Path2D>;
  /** The widths of texts. Measuring costs more than drawing, and each zoom step draws the same texts again. */
  #widths = new Map<string, number>();
  #ratio = 1;
  width = 0;
  height = 0;
  /** The height of all lanes; the canvas may show less, from `top` on. */
  content = 0;
  gutter = GUTTER;

  constructor(
    private canvas: HTMLCanvasElement,
    private session: Session,
    private folding: Folding,
    private colours: Colours,
  ) {
    this.ctx = canvas.getContext("2d")!;
    this.#patterns = { permission: "", wait: "", lost: "" };
    this.#rowOfCall = new Float64Array(session.calls.length).fill(-1);
    this.#layOut();
  }

  /** Places the rows for a width. */
  #layOut() {
    this.#rows = [];
    this.#labels = [];
    const above = this.width > 0 && this.width < NARROW;
    this.gutter = above ? 0 : GUTTER;
    let y = RULER + MARKS + 6;
    for (const group of this.session.groups) {
      const begin = y;
      if (above) y += LABEL;
      for (const lane of group.lanes) {
        this.#rows.push({ y, group, lane });
        // The bar of a background task is not its call's row.
        if (group.kind !== "background") for (const call of lane.call) this.#rowOfCall[call] = y;
        y += LANE;
      }
      if (group.lanes.length === 0) y += above ? 2 : LANE;
      this.#labels.push({ y: begin, height: y - begin, ...this.#label(group), group });
      y += GAP;
    }
    this.content = y;
  }

  /** Returns the label of a group's lanes, and how far it is indented, in pixels. */
  #label(group: Group): { indent: number; words: string } {
    const indent = Math.min(group.depth, 4) * 8;
    const room = (this.gutter || 220) - indent - 8;
    const whole = `${group.depth > 0 ? "└ " : ""}${group.label}`;
    this.ctx.font = fontOf(group);
    const measured = (words: string) => this.ctx.measureText(words).width;
    let words = whole;
    for (let size = whole.length; size > 2 && measured(words) > room; size--) words = `${whole.slice(0, size - 1)}…`;
    return { indent, words };
  }

  resize(width: number, height: number, ratio: number) {
    this.width = width;
    this.#layOut();
    this.height = Math.min(height, this.content);
    this.#ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * ratio));
    this.#patterns = {
      permission: this.#hatch(this.colours.permission, this.colours.permissionTint, 5),
      wait: this.#spots(this.colours.wait),
      lost: this.#hatch(this.colours.problem, null, 6),
    };
  }

  /** How many pixels wide the time axis is. */
  get span(): number {
    return Math.max(1, this.width - this.gutter);
  }

  x(u: number, view: View): number {
    return this.gutter + ((u - view.u0) / (view.u1 - view.u0)) * this.span;
  }

  u(x: number, view: View): number {
    return view.u0 + ((x - this.gutter) / this.span) * (view.u1 - view.u0);
  }

  /** Returns the y of a call's row; null if it has none. */
  rowOf(index: number): number | null {
    const y = this.#rowOfCall[index];
    return y === undefined || y < 0 ? null : y;
  }

  /** Returns the width of a text in the picture's font. */
  #widthOf(words: string): number {
    let width = this.#widths.get(words);
    if (width === undefined) {
      if (this.#widths.size > MOST_WIDTHS) this.#widths.clear();
      width = this.ctx.measureText(words).width;
      this.#widths.set(words, width);
    }
    return width;
  }

  /** Returns as much of the beginning of a text as fits. */
  #fitting(words: string, room: number): string {
    if (this.#widthOf(words) <= room) return words;
    let [fits, not] = [1, words.length];
    while (not - fits > 1) {
      const middle = (fits + not) >> 1;
      if (this.#widthOf(words.slice(0, middle)) <= room) fits = middle;
      else not = middle;
    }
    return words.slice(0, fits);
  }

  #tile(size: number, draw: (ctx: CanvasRenderingContext2D) => void): CanvasPattern | string {
    const tile = document.createElement("canvas");
    const ratio = Math.max(1, Math.round(this.#ratio));
    tile.width = tile.height = size * ratio;
    const ctx = tile.getContext("2d")!;
    ctx.scale(ratio, ratio);
    draw(ctx);
    const pattern = this.ctx.createPattern(tile, "repeat");
    // The canvas is scaled to the screen's pixels; the tile already is.
    pattern?.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern ?? this.colours.wait;
  }

  #hatch(colour: string, tint: string | null, size: number) {
    return this.#tile(size, (ctx) => {
      if (tint) {
        ctx.fillStyle = tint;
        ctx.fillRect(0, 0, size, size);
      }
      ctx.strokeStyle = colour;
      ctx.lineWidth = 1.3;
      ctx.beginPath();
      for (const shift of [-size, 0, size]) {
        ctx.moveTo(shift - 1, size + 1);
        ctx.lineTo(shift + size + 1, -1);
      }
      ctx.stroke();
    });
  }

  #spots(colour: string) {
    return this.#tile(4, (ctx) => {
      ctx.fillStyle = colour;
      ctx.fillRect(0.5, 1.5, 1.2, 1.2);
      ctx.fillRect(2.5, 3.2, 1.2, 0.8);
      ctx.fillRect(2.5, -0.3, 1.2, 0.5);
    });
  }

  draw(view: View, top: number, hovered: number | null, selected: number | null) {
    const { ctx, colours, width, height } = this;
    ctx.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.font = FONT;
    ctx.textBaseline = "middle";
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.gutter, 0, width - this.gutter, height);
    ctx.clip();
    this.#drawPieces(view);
    this.#drawRuns(view, top);
    for (const row of this.#rows) {
      const y = row.y - top;
      if (y + LANE < RULER + MARKS || y > height) continue;
      this.#drawLane(row, y, view);
    }
    for (const index of [hovered, selected]) {
      if (index !== null) this.#drawFrame(index, view, top, index === selected);
    }
    ctx.restore();
    this.#drawLabels(top);
    ctx.fillStyle = colours.surface;
    ctx.fillRect(0, 0, width, RULER + MARKS);
    this.#drawRuler(view);
    this.#drawMarks(view);
  }

  #drawPieces(view: View) {
    const { ctx, colours, height } = this;
    const { pieces } = this.folding;
    for (let i = firstPiece(pieces, view.u0); i < pieces.length && pieces[i]!.u <= view.u1; i++) {
      const piece = pieces[i]!;
      if (!piece.folded) continue;
      const x = this.x(piece.u, view);
      const w = Math.max(2, this.x(piece.uEnd, view) - x);
      ctx.fillStyle = colours.band;
      ctx.fillRect(x, RULER + MARKS, w, height);
      if (w < 7) continue;
      ctx.strokeStyle = colours.line;
      ctx.setLineDash([2, 3]);
      ctx.beginPath();
      for (const at of [x + 0.5, x + w - 0.5]) {
        ctx.moveTo(at, RULER + MARKS);
        ctx.lineTo(at, height);
      }
      ctx.stroke();
      ctx.setLineDash([]);
      const words = duration((piece.end - piece.at) / 1000);
      ctx.save();
      ctx.fillStyle = colours.faint;
      if (w > this.#widthOf(words) + 8) {
        ctx.textAlign = "center";
        ctx.fillText(words, x + w / 2, RULER + MARKS + 10);
      } else if (w >= 11 && height > 130) {
        ctx.translate(x + w / 2, RULER + MARKS + 8);
        ctx.rotate(Math.PI / 2);
        ctx.fillText(`idle ${words}`, 0, 0);
      }
      ctx.restore();
    }
  }

  #drawRuns(view: View, top: number) {
    const { ctx, colours } = this;
    for (const { y, height, group } of this.#labels) {
      const place = y - top;
      if (place > this.height || place + height < RULER) continue;
      ctx.fillStyle = colours.band;
      ctx.beginPath();
      let right = -Infinity;
      for (const [start, end] of group.runs) {
        const x = this.x(toU(this.folding, start), view);
        const xEnd = Math.max(x + 2, this.x(toU(this.folding, end), view));
        // A run that ends inside one that is already drawn changes nothing.
        if (x > this.width || xEnd < this.gutter || xEnd <= right) continue;
        right = xEnd;
        ctx.roundRect(x - 2, place - 2, xEnd - x + 4, height + 2, 4);
      }
      ctx.fill();
    }
  }

  #drawLane(row: Row, y: number, view: View) {
    const { folding, session } = this;
    const { lane } = row;
    const from = toAt(folding, view.u0);
    const until = toAt(folding, view.u1);
    const problems: number[] = [];
    let i = firstAfter(lane, from);
    while (i < lane.start.length && lane.start[i]! <= until) {
      const x = this.x(toU(folding, lane.start[i]!), view);
      const xEnd = this.x(toU(folding, lane.end[i]!), view);
      const call = session.calls[lane.call[i]!]!;
      if (xEnd - x >= 3) {
        this.#drawBar(call, row, x, xEnd, y, view);
        if (isProblem(call.state)) problems.push(x);
        i++;
        continue;
      }
      // All calls that end on this pixel are drawn as one mark.
      const edge = Math.floor(x) + 2;
      const end = toAt(folding, this.u(edge, view));
      let next = Math.max(i + 1, firstAfter(lane, end, i));
      // A long call that begins here is drawn separately.
      while (next > i + 1 && lane.end[next - 1]! > end) next--;
      this.ctx.fillStyle = row.group.kind === "background" ? this.colours.kinds.shell : this.colours.kinds[toolKind(call.tool)];
      this.ctx.fillRect(Math.floor(x), y, 2, BAR);
      if (lane.problems[next]! > lane.problems[i]!) problems.push(Math.floor(x));
      i = next;
    }
    if (row.group.kind !== "background") this.#drawProblems(problems, y);
  }

  /** Draws a triangle over each problem, so that nobody needs the colour to see it. */
  #drawProblems(places: number[], y: number) {
    if (places.length === 0) return;
    const { ctx } = this;
    ctx.fillStyle = this.colours.problem;
    ctx.beginPath();
    for (const x of places) {
      ctx.rect(x, y, 2, BAR);
      ctx.moveTo(x - 3, y - 3);
      ctx.lineTo(x + 5, y - 3);
      ctx.lineTo(x + 1, y + 3);
      ctx.closePath();
    }
    ctx.fill();
  }

  #drawBar(call: Call, row: Row, x: number, xEnd: number, y: number, view: View) {
    const { ctx, colours, folding, session } = this;
    const w = xEnd - x;
    if (row.group.kind === "background") {
      ctx.strokeStyle = colours.kinds.shell;
      ctx.lineWidth = 1.6;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      for (const line of [2.8, 7.8, 12.8]) {
        ctx.moveTo(Math.max(x, this.gutter - 12), y + line);
        ctx.lineTo(Math.min(xEnd, this.width), y + line);
      }
      ctx.stroke();
      ctx.setLineDash([]);
      this.#drawText(call, x, xEnd, y, colours.text, true);
      return;
    }
    const problem = isProblem(call.state);
    let text: number | null = null;
    for (const [kind, start, end] of phases(call, session.last)) {
      const from = this.x(toU(folding, start), view);
      const to = this.x(toU(folding, end), view);
      const size = Math.max(to - from, kind === "run" ? 2 : 0);
      if (size <= 0) continue;
      if (kind === "run") {
        ctx.fillStyle = problem ? colours.problem : colours.kinds[toolKind(call.tool)];
        text = from;
      } else {
        ctx.fillStyle = kind === "permission" ? this.#patterns.permission : kind === "wait" ? this.#patterns.wait : this.#patterns.lost;
      }
      ctx.beginPath();
      if (size > 6) ctx.roundRect(from, y, size, BAR, 2.5);
      else ctx.rect(from, y, size, BAR);
      ctx.fill();
      if (kind === "permission" || kind === "lost") {
        ctx.strokeStyle = kind === "permission" ? colours.permission : colours.problem;
        ctx.lineWidth = 1;
        ctx.setLineDash(kind === "lost" ? [3, 2] : []);
        ctx.stroke();
        ctx.setLineDash([]);
      }
    }
    if (w < 26) return;
    // On a pattern, text needs a plain background.
    if (text === null) this.#drawText(call, x, xEnd, y, colours.text, true);
    else this.#drawText(call, text, xEnd, y, colours.onBar, false);
  }

  #drawText(call: Call, from: number, to: number, y: number, colour: string, plate: boolean) {
    const { ctx } = this;
    const left = Math.max(from, this.gutter) + 4;
    // The pattern must stay visible beside that background.
    const room = Math.min(Math.min(to, this.width) - left - 3, plate ? Math.max(90, (to - from) * 0.4) : Infinity);
    if (room < 22) return;
    const mark = STATES[call.state].mark;
    const tool = toolName(call.tool);
    const label = call.what === null ? tool : `${tool}  ${labelOf(this.session, call, 40)}`;
    const words = this.#fitting(`${mark ? `${mark} ` : ""}${label}`, room);
    if (plate) {
      ctx.fillStyle = this.colours.surface;
      ctx.fillRect(left - 2, y + 2, this.#widthOf(words) + 4, BAR - 4);
    }
    ctx.fillStyle = colour;
    ctx.fillText(words, left, y + BAR / 2 + 0.5);
  }

  #drawFrame(index: number, view: View, top: number, selected: boolean) {
    const call = this.session.calls[index];
    const row = this.rowOf(index);
    if (!call || row === null) return;
    const { ctx, colours } = this;
    const x = this.x(toU(this.folding, call.started[1]), view);
    const end = this.x(toU(this.folding, call.ended?.[1] ?? this.session.last), view);
    ctx.strokeStyle = selected ? colours.text : colours.accent;
    ctx.lineWidth = selected ? 2 : 1.5;
    ctx.beginPath();
    ctx.roundRect(x - 2, row - top - 2, Math.max(4, end - x) + 4, BAR + 4, 4);
    ctx.stroke();
  }

  #drawLabels(top: number) {
    const { ctx, colours } = this;
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, RULER + MARKS, this.gutter || this.width, this.height);
    ctx.clip();
    for (const { y, height, indent, words, group } of this.#labels) {
      const place = y - top;
      if (place > this.height || place + height < RULER) continue;
      ctx.fillStyle = group.kind === "main" ? colours.text : colours.faint;
      ctx.font = fontOf(group);
      ctx.fillText(words, indent, place + LABEL / 2 + 0.5);
    }
    ctx.restore();
    ctx.font = FONT;
  }

  #drawRuler(view: View) {
    const { ctx, colours, folding } = this;
    const perPixel = (view.u1 - view.u0) / this.span;
    const size = step(perPixel * 84);
    const ahead = (at: number) => clockAt(this.session, at) - at;
    let right = -Infinity;
    let day = "";
    ctx.strokeStyle = colours.line;
    ctx.fillStyle = colours.faint;
    ctx.lineWidth = 1;
    for (const { u, ts } of ticks(folding, view.u0, view.u1, size, ahead)) {
      const x = this.x(u, view);
      let words = localTime(ts);
      if (size >= 60e6) words = words.slice(0, 5);
      else if (size < 1e6) words += `.${String(Math.floor((ts / 1000) % 1000)).padStart(3, "0")}`;
      const today = localDay(ts);
      if (today !== day) words = `${today.slice(5)} ${words}`;
      if (x < right + 12 || x < this.gutter) continue;
      day = today;
      ctx.beginPath();
      ctx.moveTo(Math.round(x) + 0.5, RULER - 7);
      ctx.lineTo(Math.round(x) + 0.5, RULER - 1);
      ctx.stroke();
      ctx.fillText(words, x + 4, 10);
      right = x + 4 + this.#widthOf(words);
    }
    ctx.beginPath();
    ctx.moveTo(this.gutter, RULER - 0.5);
    ctx.lineTo(this.width, RULER - 0.5);
    ctx.stroke();
  }

  #drawMarks(view: View) {
    const { ctx, colours, folding } = this;
    const { marks } = this.session;
    this.#dots = [];
    const middle = RULER + MARKS / 2;
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.gutter - 6, RULER, this.width, this.height);
    ctx.clip();
    const until = toAt(folding, this.u(this.width + 6, view));
    const lines: Record<"prompt" | "segment" | "other", number[]> = { prompt: [], segment: [], other: [] };
    const signs: [kind: MarkKind, x: number][] = [];
    let last = -Infinity;
    for (let i = firstMark(marks, toAt(folding, this.u(this.gutter - 6, view))); i < marks.length && marks[i]!.at <= until; i++) {
      const mark = marks[i]!;
      const x = this.x(toU(folding, mark.at), view);
      this.#dots.push({ x, mark });
      if (mark.kind !== "notification") {
        const same = lines[mark.kind === "prompt" || mark.kind === "segment" ? mark.kind : "other"];
        const place = Math.round(x) + 0.5;
        if (same.at(-1) !== place) same.push(place);
      }
      if (x - last < 5) continue;
      last = x;
      signs.push([mark.kind, x]);
    }
    for (const [kind, places] of Object.entries(lines)) {
      if (places.length === 0) continue;
      ctx.lineWidth = 1;
      ctx.strokeStyle = kind === "segment" ? colours.faint : colours.line;
      ctx.setLineDash(kind === "prompt" ? [] : [3, 3]);
      ctx.globalAlpha = kind === "segment" ? 0.8 : 0.55;
      ctx.beginPath();
      for (const x of places) {
        ctx.moveTo(x, RULER + MARKS - 2);
        ctx.lineTo(x, this.height);
      }
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
    ctx.setLineDash([]);
    ctx.lineWidth = 1.5;
    for (const kind of Object.keys(SIGNS) as MarkKind[]) {
      const all = new Path2D();
      for (const [other, x] of signs) if (other === kind) all.addPath(this.#signs[kind], new DOMMatrix([1, 0, 0, 1, x, middle]));
      ctx.fillStyle = ctx.strokeStyle = kind === "prompt" ? colours.accent : colours.text;
      if (SIGNS[kind].lines) ctx.stroke(all);
      else ctx.fill(all);
    }
    ctx.restore();
  }

  /** Returns what is at a point of the canvas. */
  hit(x: number, y: number, top: number, view: View): Hit {
    if (x < this.gutter) return null;
    if (y < RULER + MARKS) {
      let best: { x: number; mark: Mark } | null = null;
      for (const dot of this.#dots) {
        if (Math.abs(dot.x - x) < 8 && (!best || Math.abs(dot.x - x) < Math.abs(best.x - x))) best = dot;
      }
      return best && { mark: best.mark, x, y };
    }
    const row = this.#rows.find((row) => y + top >= row.y - 1 && y + top < row.y + LANE - 1);
    if (!row) return null;
    const { lane } = row;
    const from = toAt(this.folding, this.u(x - 3, view));
    const to = toAt(this.folding, this.u(x + 3, view));
    const first = firstAfter(lane, from);
    let best = -1;
    for (let i = first; i < lane.start.length && lane.start[i]! <= to; i++) {
      // Of several calls on one pixel, a person looks for the one that failed.
      if (best < 0 || isProblem(this.session.calls[lane.call[i]!]!.state)) best = i;
      if (i - first > 500) break;
    }
    if (best < 0) return null;
    return { call: this.session.calls[lane.call[best]!]!, x, y };
  }
}

function fontOf(group: Group): string {
  return group.kind === "main" ? `600 ${FONT}` : FONT;
}

/** The shape of each mark, as a path around 0, 0; the legend uses it, too. `lines` are stroked, other shapes filled. */
export const SIGNS: Record<MarkKind, { path: string; lines: boolean }> = {
  prompt: { path: "M-5-5H5L0 5Z", lines: false },
  notification: { path: "M3 0A3 3 0 1 1-3 0A3 3 0 1 1 3 0", lines: true },
  compaction: { path: "M-5-5L0 0L-5 5M5-5L0 0L5 5", lines: true },
  segment: { path: "M-1-7H5V-2H1V7H-1Z", lines: false },
  commit: { path: "M0-5L5 0L0 5L-5 0Z", lines: false },
};
