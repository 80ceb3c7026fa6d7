/** Stamps on a page: sizes in points, boxes as fractions from the top left. Everything stays inside the page. */
import type { Box, Inspected } from "../types";
import type { Draft } from "./draft";

export type Page_pt = [number, number];

export const MIN_WIDTH_PT = 90;
export const MIN_HEIGHT_PT = 28;
const RATIO = { simple: 3.2, text: 2.3 };
const DEFAULT_SHARE = 0.27;
const MIN_SHARE = 0.12;
const MAX_SHARE = 0.45;

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), Math.max(low, high));
const round = (value: number) => Math.round(value * 1e6) / 1e6;

export const ratio = (withText: boolean) => (withText ? RATIO.text : RATIO.simple);

export function inside(box: Box): Box {
  const w = Math.min(box.w, 1), h = Math.min(box.h, 1);
  const x = clamp(box.x, 0, 1 - w), y = clamp(box.y, 0, 1 - h);
  return { x: Math.min(round(x), 1 - round(w)), y: Math.min(round(y), 1 - round(h)), w: round(w), h: round(h) };
}

/** Width and height as fractions, for a width asked for in fractions of the page. */
export function sized(share: number, page: Page_pt, withText: boolean): { w: number; h: number } {
  const [width_pt, height_pt] = page;
  const least = Math.max(MIN_WIDTH_PT + 0.5, (MIN_HEIGHT_PT + 0.5) * ratio(withText), width_pt * MIN_SHARE);
  const most = Math.max(least, width_pt * MAX_SHARE);
  const w_pt = clamp(share * width_pt, least, most);
  return { w: w_pt / width_pt, h: w_pt / ratio(withText) / height_pt };
}

export function centred(x: number, y: number, page: Page_pt, withText: boolean): Box {
  const { w, h } = sized(DEFAULT_SHARE, page, withText);
  return inside({ x: x - w / 2, y: y - h / 2, w, h });
}

export function moved(box: Box, dx: number, dy: number): Box {
  return inside({ ...box, x: box.x + dx, y: box.y + dy });
}

/** A new width; `fixed` says which corner keeps its place. */
export function resized(box: Box, share: number, page: Page_pt, withText: boolean, fixed: "nw" | "ne" | "sw" | "se" = "nw"): Box {
  const { w, h } = sized(share, page, withText);
  const right = box.x + box.w, bottom = box.y + box.h;
  return inside({ x: fixed.includes("e") ? right - w : box.x, y: fixed.includes("s") ? bottom - h : box.y, w, h });
}

const overlap = (a: Box, b: Box) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

export const overlaps = (box: Box, others: Box[]) => others.some((other) => overlap(box, other));

/** The first free place, from the bottom right to the left, then upwards. */
export function freePlace(others: Box[], page: Page_pt, withText: boolean): Box {
  const { w, h } = sized(DEFAULT_SHARE, page, withText);
  for (let y = 0.94 - h; y > 0.05; y -= h + 0.02)
    for (let x = 0.94 - w; x > 0.03; x -= w + 0.02) {
      const box = inside({ x, y, w, h });
      if (!others.some((other) => overlap(box, other))) return box;
    }
  return inside({ x: 0.94 - w, y: 0.94 - h, w, h });
}

/** What a stamp snaps to: edges and centres of other stamps, the page's centre, margins of 5 %. */
const linesX = (others: Box[]) => [0.05, 0.5, 0.95, ...others.flatMap((o) => [o.x, o.x + o.w / 2, o.x + o.w])];
const linesY = (others: Box[]) => [0.05, 0.5, 0.95, ...others.flatMap((o) => [o.y, o.y + o.h / 2, o.y + o.h])];

/** The lines that a box touches with an edge or its middle. */
export function guides(box: Box, others: Box[]): { x: number[]; y: number[] } {
  const met = (start: number, length: number, lines: number[]) =>
    [...new Set(lines)].filter((line) => [start, start + length / 2, start + length].some((at) => Math.abs(at - line) < 1e-5));
  return { x: met(box.x, box.w, linesX(others)), y: met(box.y, box.h, linesY(others)) };
}

/** Within 0.7 % of the page. */
export function snapped(box: Box, others: Box[]): Box {
  const near = 0.007;
  const pull = (start: number, length: number, lines: number[]) => {
    for (const line of lines)
      for (const at of [start, start + length / 2, start + length]) if (Math.abs(at - line) < near) return start + line - at;
    return start;
  };
  return inside({ ...box, x: pull(box.x, box.w, linesX(others)), y: pull(box.y, box.h, linesY(others)) });
}

/** What changes of a draft when somebody's stamps get their text, or lose it. */
export function looking(draft: Draft, documents: Inspected[], key: string, withText: boolean): Partial<Draft> {
  const people = draft.people.map((p) => (p.key === key ? { ...p, with_text: withText } : p));
  const stamps = draft.stamps.map((s) => {
    const size = documents.find((d) => d.file_id === s.file_id)?.page_sizes_pt[s.page - 1];
    return s.person === key && size ? { ...s, box: resized(s.box, s.box.w, size, withText) } : s;
  });
  return { people, stamps };
}
