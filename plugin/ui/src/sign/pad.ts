import { html } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import SignaturePad, { type PointGroup } from "signature_pad";
import { define, PageElement } from "../element";
import { t } from "../i18n";
import { INK_COLOUR, sheet, trimmed, type Ink, type Stroke } from "./ink";

const MIN_WIDTH_PX = 600;
const MIN_LENGTH_PX = 40;
const LEAST_LENGTH_PX = 20; // dots alone are none

/** How far the pen went, in CSS pixels. */
function travelled(groups: PointGroup[]): number {
  let sum = 0;
  for (const { points } of groups) {
    points.forEach((point, i) => {
      const before = points[i - 1];
      if (before) sum += Math.hypot(point.x - before.x, point.y - before.y);
    });
  }
  return sum;
}

export const isSignature = (groups: PointGroup[]) => travelled(groups) >= (groups.length >= 2 ? LEAST_LENGTH_PX : MIN_LENGTH_PX);

/** As wide as the pad draws them: the faster the pen, the thinner. What the pad calls a width is half of it. */
function widths({ points, minWidth, maxWidth, velocityFilterWeight }: PointGroup): Stroke {
  const short = (value: number) => Math.round(value * 100) / 100;
  let speed = 0;
  return points.map((point, i) => {
    const before = points[i - 1];
    let width = (minWidth + maxWidth) / 2;
    if (before) {
      const passed_ms = point.time - before.time;
      const now = passed_ms ? Math.hypot(point.x - before.x, point.y - before.y) / passed_ms : 0;
      speed = velocityFilterWeight * now + (1 - velocityFilterWeight) * speed;
      width = Math.max(maxWidth / (speed + 1), minWidth);
    }
    return [short(point.x), short(point.y), short(2 * width)];
  });
}

/** The strokes drawn again at least 600 px wide. Time is stretched with space, so that strokes keep their weight. */
function exported(groups: PointGroup[]): Ink | null {
  const points = groups.flatMap((group) => group.points);
  if (!points.length) return null;
  const left = Math.min(...points.map((p) => p.x)), top = Math.min(...points.map((p) => p.y));
  const width = Math.max(...points.map((p) => p.x)) - left, height = Math.max(...points.map((p) => p.y)) - top;
  const scale = Math.min(8, Math.max(2, (MIN_WIDTH_PX + 8) / Math.max(width, 1)));
  const margin = 6 * scale;
  const [canvas, context] = sheet(width * scale + 2 * margin, height * scale + 2 * margin);
  const pad = new SignaturePad(canvas, { penColor: INK_COLOUR });
  pad.fromData(
    groups.map((group) => ({
      ...group,
      minWidth: group.minWidth * scale,
      maxWidth: group.maxWidth * scale,
      dotSize: group.dotSize * scale,
      // The pad draws a line up to its last point but one; a dot is a point alone.
      points: [...group.points, ...group.points.slice(1).slice(-1)].map((p) => ({
        ...p,
        x: (p.x - left) * scale + margin,
        y: (p.y - top) * scale + margin,
        time: p.time * scale,
      })),
    })),
  );
  pad.off();
  const ink = trimmed(context, "drawn");
  return ink && { ...ink, strokes: groups.map(widths) };
}

/** The drawing pad. Fires `pf-ink` with the ink, or null while it is not yet a signature. */
export class SigningPad extends PageElement {
  private canvas = createRef<HTMLCanvasElement>();
  private pad?: SignaturePad;
  private watcher?: ResizeObserver;
  strokes: PointGroup[] = [];

  override firstUpdated(): void {
    const canvas = this.canvas.value;
    if (!canvas) return;
    this.pad = new SignaturePad(canvas, { penColor: INK_COLOUR, minWidth: 0.9, maxWidth: 2.8, throttle: 8, minDistance: 2 });
    this.pad.addEventListener("beginStroke", () => this.requestUpdate());
    this.pad.addEventListener("endStroke", () => this.changed());
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(canvas);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.watcher?.disconnect();
    this.pad?.off();
  }

  clear(): void {
    this.strokes = [];
    this.redraw();
  }

  undo(): void {
    this.strokes = this.strokes.slice(0, -1);
    this.redraw();
  }

  private fit(): void {
    const canvas = this.canvas.value;
    if (!canvas) return;
    const ratio = Math.max(window.devicePixelRatio || 1, 1);
    canvas.width = canvas.offsetWidth * ratio;
    canvas.height = canvas.offsetHeight * ratio;
    canvas.getContext("2d")?.scale(ratio, ratio);
    this.pad?.fromData(this.strokes);
  }

  private redraw(): void {
    this.pad?.fromData(this.strokes);
    this.tell();
  }

  private changed(): void {
    this.strokes = this.pad?.toData() ?? [];
    this.tell();
  }

  private tell(): void {
    const detail = isSignature(this.strokes) ? exported(this.strokes) : null;
    this.dispatchEvent(new CustomEvent<Ink | null>("pf-ink", { detail }));
    this.requestUpdate();
  }

  override render() {
    const empty = !this.strokes.length && (this.pad?.isEmpty() ?? true);
    return html`<div class="pf-pad line" role="img" aria-label=${empty ? t("Drawing pad, empty") : t("Drawing pad, with your drawing")}>
        <canvas ${ref(this.canvas)} data-test="pad"></canvas>
        ${empty ? html`<span class="ghost">${t("Draw with mouse, finger or pen.")}</span>` : ""}
      </div>`;
  }
}
define("parapheur-pad", SigningPad);
