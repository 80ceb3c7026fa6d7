import { html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { repeat } from "lit/directives/repeat.js";
import { undrawable, type Api } from "../api";
import { css, define, PageElement, placed } from "../element";
import { icon } from "../icons";
import { number, shortened, t, tn } from "../i18n";
import type { Box, Inspected } from "../types";
import { cartridge, documentList } from "./placement-sides";
import { colour, missing, type Draft, type Person, type Stamp } from "./draft";
import { centred, freePlace, guides, looking, moved, overlaps, resized, sized, snapped, type Page_pt } from "./geometry";
import { follow } from "./gestures";
import { selectionBar, toolbar } from "./placement-tools";

const PT_TO_PX = 96 / 72;
const EDGE_PX = 40;
const TOOLBAR_PX = 68;

/** Step 3. Stamps are fractions of their page; pixels exist only while a pointer moves. Fires `pf-change`. */
export class Placement extends PageElement {
  static override properties = {
    draft: { attribute: false }, documents: { attribute: false }, api: { attribute: false }, base: {}, refused: { state: true },
    current: { state: true }, page: { state: true }, zoom: { state: true }, armed: { state: true }, chosen: { state: true }, said: { state: true }, guiding: { state: true }, ghost: { state: true }, over: { state: true },
  };
  draft!: Draft;
  documents: Inspected[] = [];
  api!: Api;
  base = "/";
  refused: Record<string, string> = {}; // person -> characters of the name that no stamp can show
  current = 0;
  page = 1;
  zoom = 0; // 0: as wide as the desk allows
  armed = "";
  chosen = 0;
  said = "";
  ghost: { person: Person; index: number; x: number; y: number; w: number; h: number } | null = null;
  over = 0;
  guiding: { page: number; x: number[]; y: number[] } | null = null; // lines a moving stamp has snapped to
  undone: Stamp[][] = [];
  private deskWidth = 0; // pixels, once measured
  private scrolling = 0;

  get document(): Inspected | undefined {
    return this.documents[this.current];
  }

  get fitting(): number {
    const widest = Math.max(...(this.document?.page_sizes_pt ?? [[595, 842]]).map(([w]) => w));
    return Math.min(1, Math.max(0.1, (this.deskWidth - 48) / (widest * PT_TO_PX)));
  }

  get scale(): number {
    return this.zoom || this.fitting;
  }

  /** Keeps what is under `at` (window coordinates) where it is. */
  zoomTo(wanted: number, at?: { clientX: number; clientY: number }): void {
    const desk = this.querySelector<HTMLElement>(".pl-scroll");
    const sheet = at && this.sheetAt(at.clientX, at.clientY);
    const before = sheet && at && Placement.at(sheet, at.clientX, at.clientY);
    this.zoom = Math.min(3, Math.max(Math.min(0.5, this.fitting), Math.round(wanted * 20) / 20));
    if (desk && sheet && before) void this.updateComplete.then(() => {
      const r = sheet.getBoundingClientRect();
      desk.scrollBy(r.left + before[0] * r.width - at.clientX, r.top + before[1] * r.height - at.clientY);
    });
  }

  private readonly wheel = {
    passive: false,
    handleEvent: (e: WheelEvent) => {
      if (!e.ctrlKey) return;
      e.preventDefault();
      this.zoomTo(this.scale * (e.deltaY < 0 ? 1.1 : 1 / 1.1), e);
    },
  };

  private pageSize(page: number): Page_pt {
    return this.document?.page_sizes_pt[page - 1] ?? [595, 842];
  }

  private stampsOn(page: number): Stamp[] {
    return this.draft.stamps.filter((s) => s.file_id === this.document?.file_id && s.page === page);
  }

  override firstUpdated(): void {
    const desk = this.querySelector<HTMLElement>(".pl-scroll");
    if (!desk) return;
    const measure = () => {
      if (Math.abs(desk.clientWidth - this.deskWidth) < 8) return;
      this.deskWidth = desk.clientWidth;
      this.requestUpdate();
    };
    measure();
    new ResizeObserver(measure).observe(desk);
  }

  // ---- changes -----------------------------------------------------------------------------------------------------
  private put(stamps: Stamp[], keep = true): void {
    if (keep) this.undone = [...this.undone.slice(-49), this.draft.stamps];
    this.dispatchEvent(new CustomEvent<Partial<Draft>>("pf-change", { detail: { stamps } }));
  }

  private say(stamp: Stamp): void {
    this.said = t("At {x}% from the left edge, {y}% from the top, page {page}", { x: number(stamp.box.x * 100), y: number(stamp.box.y * 100), page: stamp.page });
  }

  person(key: string): Person | undefined {
    return this.draft.people.find((p) => p.key === key);
  }

  private add(key: string, page: number, box: Box): void {
    const document = this.document;
    if (!document) return;
    const stamp: Stamp = { id: 1 + Math.max(0, ...this.draft.stamps.map((s) => s.id)), file_id: document.file_id, page, person: key, box };
    this.put([...this.draft.stamps, stamp]);
    this.chosen = stamp.id;
    this.page = page;
    this.say(stamp);
  }

  private change(id: number, part: Partial<Stamp>, keep = true): void {
    this.put(this.draft.stamps.map((s) => (s.id === id ? { ...s, ...part } : s)), keep);
    const stamp = this.draft.stamps.find((s) => s.id === id);
    if (stamp) this.say({ ...stamp, ...part });
  }

  takeAway(id: number): void {
    this.put(this.draft.stamps.filter((s) => s.id !== id));
    this.chosen = 0;
    this.said = t("Stamp removed");
  }

  undo(): void {
    const before = this.undone.pop();
    if (before) this.put(before, false);
  }

  setText(key: string, withText: boolean): void {
    this.refused = { ...this.refused, [key]: "" };
    this.look(key, withText);
    if (!withText) return;
    void undrawable(this.api, this.person(key)?.name ?? "").then((characters) => {
      this.refused = { ...this.refused, [key]: characters };
      if (characters) this.look(key, false);
    });
  }

  private look(key: string, withText: boolean): void {
    this.dispatchEvent(new CustomEvent<Partial<Draft>>("pf-change", { detail: looking(this.draft, this.documents, key, withText) }));
  }

  /** To the first document where somebody's stamp is missing: its last page, with that cartridge armed. */
  goToMissing(): void {
    const index = this.documents.findIndex((d) => missing(d, this.draft).length);
    const document = this.documents[index];
    const person = document && missing(document, this.draft)[0];
    if (!person) return;
    this.show(index, document.pages ?? 1);
    this.arm(person.key);
  }

  arm(key: string): void {
    this.armed = this.armed === key ? "" : key;
    const name = this.person(key)?.name ?? "";
    this.said = this.armed ? t("Click the page where {name} has to sign. Esc cancels.", { name }) : "";
  }

  show(index: number, page: number): void {
    this.current = index;
    this.chosen = 0;
    void this.updateComplete.then(() => this.goTo(page));
  }

  goTo(page: number): void {
    this.page = Math.min(Math.max(1, page), this.document?.pages ?? 1);
    const desk = this.querySelector(".pl-scroll"), sheet = desk?.querySelector(`[data-page="${this.page}"]`);
    if (desk && sheet) desk.scrollTop += sheet.getBoundingClientRect().top - desk.getBoundingClientRect().top - TOOLBAR_PX;
  }

  // ---- pointers ----------------------------------------------------------------------------------------------------
  private sheetAt(x: number, y: number): HTMLElement | null {
    const desk = this.querySelector(".pl-scroll")?.getBoundingClientRect();
    if (!desk || x < desk.left || x > desk.right || y < desk.top || y > desk.bottom) return null;
    for (const sheet of this.querySelectorAll<HTMLElement>(".pl-scroll .pf-sheet")) {
      const r = sheet.getBoundingClientRect();
      if (x >= r.left && x <= r.right && y >= r.top && y <= r.bottom) return sheet;
    }
    return null;
  }

  private static at(sheet: HTMLElement, x: number, y: number): [number, number] {
    const r = sheet.getBoundingClientRect();
    return [(x - r.left) / r.width, (y - r.top) / r.height];
  }

  private scrollNear(y: number): void {
    const desk = this.querySelector<HTMLElement>(".pl-scroll");
    if (!desk) return;
    const r = desk.getBoundingClientRect();
    const pull = y < r.top + EDGE_PX ? -10 : y > r.bottom - EDGE_PX ? 10 : 0;
    window.cancelAnimationFrame(this.scrolling);
    const step = () => { desk.scrollTop += pull; this.scrolling = window.requestAnimationFrame(step); };
    if (pull) this.scrolling = window.requestAnimationFrame(step);
  }

  dragCartridge(down: PointerEvent, key: string): void {
    const person = this.person(key);
    if (!person) return;
    const index = this.draft.people.indexOf(person);
    follow(down, {
      start: () => { this.armed = ""; },
      move: (e) => {
        const sheet = this.sheetAt(e.clientX, e.clientY);
        this.over = Number(sheet?.dataset["page"] ?? 0);
        const size = this.pageSize(this.over || this.page);
        const { w, h } = sized(0.27, size, person.with_text);
        const px = this.scale * PT_TO_PX;
        this.ghost = { person, index, x: e.clientX, y: e.clientY, w: w * size[0] * px, h: h * size[1] * px };
        this.scrollNear(e.clientY);
      },
      end: (e, cancelled) => {
        window.cancelAnimationFrame(this.scrolling);
        const sheet = cancelled ? null : this.sheetAt(e.clientX, e.clientY);
        this.ghost = null;
        this.over = 0;
        if (sheet) this.drop(key, sheet, e);
      },
      tap: () => this.arm(key),
    });
  }

  private drop(key: string, sheet: HTMLElement, e: PointerEvent | MouseEvent): void {
    const page = Number(sheet.dataset["page"]);
    const [x, y] = Placement.at(sheet, e.clientX, e.clientY);
    const box = centred(x, y, this.pageSize(page), this.person(key)?.with_text ?? false);
    this.add(key, page, e.altKey ? box : snapped(box, this.stampsOn(page).map((s) => s.box)));
  }

  private dragStamp(down: PointerEvent, stamp: Stamp): void {
    down.stopPropagation();
    const sheet = (down.currentTarget as HTMLElement).closest<HTMLElement>(".pf-sheet");
    if (!sheet) return;
    const [x0, y0] = Placement.at(sheet, down.clientX, down.clientY);
    const grab = [x0 - stamp.box.x, y0 - stamp.box.y] as const;
    const before = this.draft.stamps;
    this.chosen = stamp.id;
    follow(down, {
      start: () => {},
      move: (e) => {
        const target = this.sheetAt(e.clientX, e.clientY) ?? this.querySelector<HTMLElement>(`.pl-scroll [data-page="${stamp.page}"]`);
        if (!target) return;
        const page = Number(target.dataset["page"]);
        const [x, y] = Placement.at(target, e.clientX, e.clientY);
        const own = sized(stamp.box.w * this.pageSize(stamp.page)[0] / this.pageSize(page)[0], this.pageSize(page), this.person(stamp.person)?.with_text ?? false);
        const size = page === stamp.page ? stamp.box : own;
        const box = moved({ x: x - grab[0], y: y - grab[1], w: size.w, h: size.h }, 0, 0);
        const others = this.stampsOn(page).filter((s) => s.id !== stamp.id).map((s) => s.box);
        const at = e.altKey ? box : snapped(box, others);
        this.guiding = e.altKey ? null : { page, ...guides(at, others) };
        this.change(stamp.id, { page, box: at }, false);
        this.scrollNear(e.clientY);
      },
      end: (_e, cancelled) => {
        window.cancelAnimationFrame(this.scrolling);
        this.guiding = null;
        if (cancelled) this.put(before, false);
        else this.undone = [...this.undone.slice(-49), before];
      },
    });
  }

  private dragCorner(down: PointerEvent, stamp: Stamp, corner: "nw" | "ne" | "sw" | "se"): void {
    down.stopPropagation();
    const sheet = (down.currentTarget as HTMLElement).closest<HTMLElement>(".pf-sheet");
    if (!sheet) return;
    const before = this.draft.stamps;
    const fixed = { nw: "se", ne: "sw", sw: "ne", se: "nw" }[corner] as "nw" | "ne" | "sw" | "se";
    follow(down, {
      start: () => {},
      move: (e) => {
        const [x] = Placement.at(sheet, e.clientX, e.clientY);
        const share = corner.endsWith("e") ? x - stamp.box.x : stamp.box.x + stamp.box.w - x;
        this.change(stamp.id, { box: resized(stamp.box, share, this.pageSize(stamp.page), this.person(stamp.person)?.with_text ?? false, fixed) }, false);
      },
      end: (_e, cancelled) => (cancelled ? this.put(before, false) : (this.undone = [...this.undone.slice(-49), before])),
    });
  }

  // ---- keyboard ----------------------------------------------------------------------------------------------------
  private stampKeys(e: KeyboardEvent, stamp: Stamp): void {
    const step = e.shiftKey ? 0.05 : 0.005;
    const size = this.pageSize(stamp.page);
    const withText = this.person(stamp.person)?.with_text ?? false;
    const pages = this.document?.pages ?? 1;
    const arrows: Record<string, [number, number]> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const arrow = arrows[e.key];
    if (arrow) this.change(stamp.id, { box: moved(stamp.box, ...arrow) });
    else if (e.key === "+" || e.key === "=") this.change(stamp.id, { box: resized(stamp.box, stamp.box.w + 0.01, size, withText) });
    else if (e.key === "-") this.change(stamp.id, { box: resized(stamp.box, stamp.box.w - 0.01, size, withText) });
    else if (e.key === "Delete" || e.key === "Backspace") this.takeAway(stamp.id);
    else if (e.key === "PageUp" || e.key === "PageDown") {
      const page = Math.min(pages, Math.max(1, stamp.page + (e.key === "PageUp" ? -1 : 1)));
      this.change(stamp.id, { page, box: resized(stamp.box, stamp.box.w, this.pageSize(page), withText) });
      void this.updateComplete.then(() => this.querySelector<HTMLElement>(`[data-stamp="${stamp.id}"]`)?.focus());
    } else if (e.key === "d" && e.ctrlKey) this.duplicate(stamp);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  duplicate(stamp: Stamp): void {
    const page = Math.min(stamp.page + 1, this.document?.pages ?? 1);
    const withText = this.person(stamp.person)?.with_text ?? false;
    this.add(stamp.person, page, page === stamp.page ? moved(stamp.box, 0, -stamp.box.h - 0.01) : resized(stamp.box, stamp.box.w, this.pageSize(page), withText));
    this.goTo(page);
  }

  private keys(e: KeyboardEvent): void {
    if (e.key === "z" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); this.undo(); }
    if (e.key === "Escape" && this.armed) this.arm(this.armed);
  }

  private pageKeys(e: KeyboardEvent, page: number): void {
    if (e.key !== "Enter" || !this.armed || e.target !== e.currentTarget) return;
    e.preventDefault();
    const withText = this.person(this.armed)?.with_text ?? false;
    this.add(this.armed, page, freePlace(this.stampsOn(page).map((s) => s.box), this.pageSize(page), withText));
    this.armed = "";
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(`[data-stamp="${this.chosen}"]`)?.focus());
  }

  private pageClick(e: MouseEvent): void {
    if ((e.target as HTMLElement).closest(".pf-stamp")) return;
    if (!this.armed) { this.chosen = 0; return; }
    this.drop(this.armed, e.currentTarget as HTMLElement, e);
    if (!e.shiftKey) this.armed = "";
  }

  // ---- looks -------------------------------------------------------------------------------------------------------
  private stamp(stamp: Stamp): TemplateResult {
    const person = this.person(stamp.person);
    if (!person) return html``;
    const index = this.draft.people.indexOf(person);
    const selected = this.chosen === stamp.id;
    const crossing = overlaps(stamp.box, this.stampsOn(stamp.page).filter((s) => s.id !== stamp.id).map((s) => s.box));
    const corner = (at: "nw" | "ne" | "sw" | "se") => html`<i class="h ${at}" @pointerdown=${(e: PointerEvent) => this.dragCorner(e, stamp, at)}></i>`;
    return html`<div class="pf-stamp ${colour(index)} ${selected ? "sel" : ""} ${crossing ? "crossing" : ""}" tabindex="0" role="group" aria-roledescription=${t("stamp")} data-stamp=${stamp.id} data-test="stamp"
        aria-label=${t("{n}, {name}, page {page}, {document}", { n: index + 1, name: person.name, page: stamp.page, document: this.document?.name ?? "" })}
        ${placed(stamp.box)} @pointerdown=${(e: PointerEvent) => this.dragStamp(e, stamp)} @focus=${() => { this.chosen = stamp.id; }} @keydown=${(e: KeyboardEvent) => this.stampKeys(e, stamp)}>
      <span class="n" aria-hidden="true">${index + 1}</span>
      <span class="lbl">${person.with_text ? html`${icon("sign")}<span class="txt">${person.name}<br />${t("date")}</span>` : html`<span class="ell">${person.name}</span>`}</span>
      ${selected ? html`${corner("nw")}${corner("ne")}${corner("sw")}${corner("se")}` : nothing}</div>`;
  }

  private sheet(document: Inspected, page: number): TemplateResult {
    const [w, h] = this.pageSize(page);
    const width = w * this.scale * PT_TO_PX;
    const pixels = width * (window.devicePixelRatio || 1) > 1000 ? 1640 : 820;
    return html`<div class="pf-sheet ${this.over === page ? "target" : ""}" data-page=${page} data-test="page-${page}" tabindex=${this.armed ? 0 : -1}
        aria-label=${t("Page {page} of {pages} of “{name}”", { page, pages: document.pages ?? 1, name: document.name })} role="group"
        ${css({ width: `${width.toFixed(1)}px` })} @click=${(e: MouseEvent) => this.pageClick(e)} @keydown=${(e: KeyboardEvent) => this.pageKeys(e, page)}>
      <img src="${this.base}api/v1/documents/${document.file_id}/pages/${page}?w=${pixels}" width=${Math.round(w)} height=${Math.round(h)} loading="lazy" draggable="false" alt="" />
      ${this.guiding?.page === page ? html`${this.guiding.x.map((x) => html`<i class="pl-guide v" ${css({ left: `${x * 100}%` })}></i>`)}${this.guiding.y.map((y) => html`<i class="pl-guide" ${css({ top: `${y * 100}%` })}></i>`)}` : nothing}
      ${repeat(this.stampsOn(page), (s) => s.id, (s) => this.stamp(s))}</div>`;
  }

  private watchPages(e: Event): void {
    const desk = e.currentTarget as HTMLElement;
    const middle = desk.getBoundingClientRect().top + desk.clientHeight / 3;
    for (const sheet of desk.querySelectorAll<HTMLElement>(".pf-sheet")) {
      if (sheet.getBoundingClientRect().bottom > middle) { this.page = Number(sheet.dataset["page"]); return; }
    }
  }

  /** Keyed by document: a picture must not stay on the desk while that of another document is on its way. */
  override render() {
    const document = this.document;
    if (!document) return nothing;
    const pages = document.pages ?? 1;
    const lacking = missing(document, this.draft);
    return html`<div class="pl" @keydown=${(e: KeyboardEvent) => this.keys(e)}>
      ${documentList(this)}
      <section class="pl-desk ${this.armed ? "armed" : ""}" aria-label=${document.name}>
        ${toolbar(this, pages)}
        <div class="pl-scroll" @scroll=${(e: Event) => this.watchPages(e)} @wheel=${this.wheel} tabindex="-1">
          ${this.deskWidth ? keyed(document.file_id, Array.from({ length: pages }, (_, i) => this.sheet(document, i + 1))) : nothing}</div>
        ${selectionBar(this)}</section>
      <aside class="pl-carts" aria-label=${t("Stamps")}><h2>${t("Stamps")}</h2>
        <p class="sm mute">${t("Drag a stamp to the page. Or click it, then the spot.")}</p>
        ${this.draft.people.map((p, i) => cartridge(this, p, i, !lacking.includes(p)))}
        <p class="vh" aria-live="polite">${this.said}</p></aside>
      ${this.ghost ? html`<div class="pf-stamp ghost ${colour(this.ghost.index)}" ${css({ left: `${this.ghost.x - this.ghost.w / 2}px`, top: `${this.ghost.y - this.ghost.h / 2}px`, width: `${this.ghost.w}px`, height: `${this.ghost.h}px` })}>
        <span class="n">${this.ghost.index + 1}</span><span class="lbl">${this.ghost.person.name}</span></div>` : nothing}
    </div>`;
  }
}
define("parapheur-placement", Placement);

export const lackingText = (n: number, name: string) => tn("One stamp to place in “{name}”", "{n} stamps to place in “{name}”", n, { name: shortened(name) });
