/** What the script does to the page the server rendered: times, marks on the sheets, what was seen. */
import { html, render } from "lit";
import { placed } from "../element";
import { icon } from "../icons";
import { language, t, when } from "../i18n";
import type { LinkFlow, PlacementOut } from "../types";
import type { Ink } from "./ink";

export function showTimes(root: ParentNode = document): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-when]")) {
    element.textContent = when(element.dateTime);
    element.title = new Date(element.dateTime).toLocaleString(language(), { hourCycle: "h23", timeZoneName: "long" });
  }
}

const SAID = "parapheur said";

/** The page anew, with the sentence on top of what it says then. */
export function reloadSaying(sentence: string): void {
  try {
    sessionStorage.setItem(SAID, sentence);
  } catch {
    // the page says enough by itself
  }
  location.reload();
}

export function showSaid(): void {
  let sentence: string | null = null;
  try {
    sentence = sessionStorage.getItem(SAID);
    sessionStorage.removeItem(SAID);
  } catch {
    return;
  }
  const card = document.querySelector(".ex-card");
  if (!sentence || !card) return;
  const note = document.createElement("div");
  note.setAttribute("role", "status");
  render(html`<p class="pf-note" data-test="said">${icon("info")}<span>${sentence}</span></p>`, note);
  card.prepend(note);
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

const SHOWN_FOR_MS = 1000;
const NO_PREVIEW = "pf-lost";

const hasLoaded = (image: HTMLImageElement) => image.complete && image.naturalWidth > 0;

/** A page without an image says so, and offers the document instead. */
function showLost(sheet: HTMLElement, image: HTMLImageElement): void {
  if (sheet.querySelector(`.${NO_PREVIEW}`)) return;
  const link = sheet.closest("[data-document]")?.querySelector<HTMLAnchorElement>("a[download]");
  const note = document.createElement("div");
  note.className = NO_PREVIEW;
  sheet.style.aspectRatio = `${image.getAttribute("width") ?? 820} / ${image.getAttribute("height") ?? 1160}`;
  image.classList.add("lost");
  render(
    html`<p>${t("No preview of this page. Download the document to read it.")}</p>
      <a class="pf-btn" href=${link?.getAttribute("href") ?? "#"} download data-test="download-unseen">${icon("download")}${t("Download")}</a>`,
    note,
  );
  sheet.append(note);
}

function showFound(sheet: HTMLElement, image: HTMLImageElement): void {
  image.classList.remove("lost");
  sheet.style.aspectRatio = "";
  sheet.querySelector(`.${NO_PREVIEW}`)?.remove();
}

/**
 * Calls `seen` once for each document that was read: one of its page images had loaded and was on screen for a second.
 * A document with a page that cannot be shown, or with none at all, is read once it is downloaded.
 */
export function watchReading(seen: (n: number) => void): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const done = new Set<number>();
  const visible = new Set<Element>();
  const timers = new Map<Element, number>();
  const numberOf = (sheet: HTMLElement) => Number(sheet.dataset["sheet"]);
  const read = (n: number) => {
    if (done.has(n)) return;
    done.add(n);
    seen(n);
  };
  const lost = (n: number) => document.querySelector(`[data-sheet="${n}"] > img.lost`) !== null;
  const look = (sheet: HTMLElement) => {
    window.clearTimeout(timers.get(sheet));
    const image = sheet.querySelector<HTMLImageElement>(":scope > img");
    const n = numberOf(sheet);
    const readable = () => image && visible.has(sheet) && hasLoaded(image) && !lost(n) && !done.has(n);
    if (!readable()) return;
    timers.set(sheet, window.setTimeout(() => {
      if (!document.hidden && readable()) read(n);
    }, SHOWN_FOR_MS));
  };
  const sheets = [...document.querySelectorAll<HTMLElement>("[data-sheet]")];
  const lookAll = () => sheets.forEach(look);
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) visible.add(target);
        else visible.delete(target);
        look(target as HTMLElement);
      }
    },
    { threshold: 0.15 },
  );
  for (const sheet of sheets) {
    const image = sheet.querySelector<HTMLImageElement>(":scope > img");
    observer.observe(sheet);
    if (!image) continue;
    image.addEventListener("load", () => (showFound(sheet, image), lookAll()), { signal });
    image.addEventListener("error", () => showLost(sheet, image), { signal });
    if (image.complete && !image.naturalWidth) showLost(sheet, image);
  }
  document.addEventListener("visibilitychange", lookAll, { signal });
  for (const article of document.querySelectorAll<HTMLElement>("[data-document]")) {
    const n = Number(article.dataset["document"]);
    const unseen = () => lost(n) || !article.querySelector(".pf-sheet");
    const downloaded = (event: Event) => {
      if ((event.target as Element).closest("a[download]") && unseen()) read(n);
    };
    article.addEventListener("click", downloaded, { signal });
  }
  return () => {
    observer.disconnect();
    stop.abort();
    for (const timer of timers.values()) window.clearTimeout(timer);
  };
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
