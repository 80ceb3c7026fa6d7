/** What the script does to the page the server rendered: times, marks on the sheets, what was seen. */
import { html, render } from "lit";
import { placed } from "../element";
import { icon } from "../icons";
import { t, when } from "../i18n";
import type { LinkFlow, PlacementOut } from "../types";
import type { Ink } from "./ink";

export function showTimes(root: ParentNode = document): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-when]")) {
    element.textContent = when(element.dateTime);
    element.title = new Date(element.dateTime).toLocaleString(undefined, { timeZoneName: "long" });
  }
}

/** Inside a stamp: the ink alone, or beside the name and the day. */
export function inkOnPage(ink: Ink, placement: PlacementOut, name: string) {
  return html`<img src=${ink.png} alt="" />${placement.with_text
    ? html`<span>${name}<br />${new Date().toLocaleDateString()}${placement.reason ? html`<br />${placement.reason}` : ""}</span>`
    : ""}`;
}

function marksOf(sheet: Element): HTMLElement {
  let layer = sheet.querySelector<HTMLElement>(".pf-marks");
  if (!layer) {
    layer = document.createElement("div");
    layer.className = "pf-marks";
    sheet.append(layer);
  }
  return layer;
}

/** "Sign here" at each of my places, or the ink once there is some. */
export function showMarks(flow: LinkFlow, ink: Ink | null, open: () => void): void {
  for (const sheet of document.querySelectorAll<HTMLElement>(".ex-pages .pf-sheet")) {
    const mine = flow.placements.filter(
      (p) => p.mine && p.document === Number(sheet.dataset["sheet"]) && p.page === Number(sheet.dataset["page"]),
    );
    if (!mine.length) continue;
    const marks = mine.map((placement) =>
      ink
        ? html`<button type="button" class="pf-inked c3" ${placed(placement.box)} @click=${open} aria-label=${t("Your signature, not sent yet. Change it")}>${inkOnPage(ink, placement, flow.me.name)}</button>`
        : html`<button type="button" class="pf-cta c3" ${placed(placement.box)} @click=${open} data-mine>${icon("sign")}<span>${t("Sign here")}</span></button>`,
    );
    render(marks, marksOf(sheet));
  }
}

export function goToMyPlace(): void {
  const mark = document.querySelector<HTMLElement>(".pf-cta, .pf-inked");
  const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  mark?.scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "auto" });
  mark?.focus({ preventScroll: true });
}

/** Calls `seen` once for each document of which something was on screen for a second. */
export function watchReading(seen: (n: number) => void): () => void {
  const timers = new Map<Element, number>();
  const done = new Set<number>();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        window.clearTimeout(timers.get(target));
        const n = Number((target as HTMLElement).dataset["sheet"]);
        if (!isIntersecting || done.has(n)) continue;
        timers.set(target, window.setTimeout(() => {
          if (document.hidden || done.has(n)) return;
          done.add(n);
          seen(n);
        }, 1000));
      }
    },
    { threshold: 0.15 },
  );
  for (const sheet of document.querySelectorAll("[data-sheet]")) observer.observe(sheet);
  return () => observer.disconnect();
}

export function markRead(n: number): void {
  const place = document.querySelector(`[data-read="${n}"]`);
  if (place instanceof HTMLElement) render(html`<span class="pf-tag ok">${icon("check", "s14")}${t("Read")}</span>`, place);
}

/** The pages of documents whose content is another now. */
export function showAnew(flow: LinkFlow): void {
  for (const { n, current_sha256 } of flow.documents)
    for (const image of document.querySelectorAll<HTMLImageElement>(`[data-sheet="${n}"] > img`)) {
      const address = new URL(image.src);
      address.searchParams.set("of", current_sha256.slice(0, 12));
      image.src = address.href;
    }
}
