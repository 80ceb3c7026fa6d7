import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { define, PageElement } from "../element";
import { icon, type IconName } from "../icons";
import { t } from "../i18n";
import type { Kind, TypeInfo } from "../types";
import { kindWords } from "../words";

export type Act = "open" | "download" | "info" | "rename" | "delete";

/** The right-click menu. Fires `pf-act` with an Act, `pf-kind` with a Kind, `pf-close`. */
class FileMenu extends PageElement {
  static override properties = { x: { type: Number }, y: { type: Number }, count: { type: Number }, folder: { type: Boolean }, types: { attribute: false }, error: {}, sub: { state: true } };
  x = 0;
  y = 0;
  count = 1;
  folder = false;
  types: TypeInfo[] | null = null; // null: not known yet
  error = "";
  sub = false;
  private entered = false; // by keyboard: focus belongs into the submenu, also when its items come later

  override firstUpdated(): void {
    this.items(".pf-menu.main")[0]?.focus();
  }

  protected override updated(changed: PropertyValues): void {
    this.fit(this.querySelector<HTMLElement>(".pf-menu.main"), this.x, this.y);
    const opener = this.querySelector<HTMLElement>("[data-test=menu-workflow]")?.getBoundingClientRect();
    if (this.sub && opener) this.fit(this.querySelector<HTMLElement>(".pf-menu.sub"), opener.right + 2, opener.top - 6, opener.left);
    if (this.entered && (changed.has("types") || changed.has("error"))) this.items(".pf-menu.sub")[0]?.focus();
  }

  /** Inside the window: to the left of `otherwise` where the right has no room, below or above where neither has. */
  private fit(menu: HTMLElement | null, x: number, y: number, otherwise = x): void {
    if (!menu) return;
    const { offsetWidth: w, offsetHeight: h } = menu;
    const fits = x + w <= innerWidth - 8;
    const crowded = !fits && otherwise !== x && otherwise - w < 0; // a phone: below its opener
    const left = fits ? x : Math.max(8, Math.min(otherwise - w - 2, innerWidth - w - 8));
    menu.style.position = "fixed";
    menu.style.left = `${left}px`;
    const below = y + 44;
    const top = !crowded ? y : below + h <= innerHeight - 8 ? below : y - h;
    menu.style.top = `${Math.max(8, Math.min(top, innerHeight - h - 8))}px`;
  }

  private items(menu: string): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>(`${menu} [role=menuitem]`)];
  }

  private close(): void {
    this.dispatchEvent(new CustomEvent("pf-close"));
  }

  private openSub(focus: boolean): void {
    this.entered = focus;
    this.sub = true;
    if (focus) void this.updateComplete.then(() => this.items(".pf-menu.sub")[0]?.focus());
  }

  private closeSub(): void {
    this.sub = this.entered = false;
    this.querySelector<HTMLElement>("[data-test=menu-workflow]")?.focus();
  }

  private keys(e: KeyboardEvent): void {
    const target = e.target as HTMLElement;
    const inSub = Boolean(target.closest(".pf-menu.sub"));
    const items = this.items(inSub ? ".pf-menu.sub" : ".pf-menu.main");
    const at = items.indexOf(target);
    const to = (i: number) => items[(i + items.length) % items.length]?.focus();
    if (e.key === "ArrowDown") to(at + 1);
    else if (e.key === "ArrowUp") to(at - 1);
    else if (e.key === "Home") to(0);
    else if (e.key === "End") to(items.length - 1);
    else if (e.key === "ArrowRight" && target.dataset["test"] === "menu-workflow") this.openSub(true);
    else if (e.key === "ArrowLeft" && inSub) this.closeSub();
    else if (e.key === "Escape") { if (inSub) this.closeSub(); else this.close(); }
    else if (e.key === "Tab") this.close();
    else if (e.key.length === 1 && e.key !== " ") items.find((item) => item.textContent?.trim().toLowerCase().startsWith(e.key.toLowerCase()))?.focus();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  private item(act: Act, pic: IconName, label: string): TemplateResult {
    return html`<button type="button" role="menuitem" tabindex="-1" data-test="menu-${act}" @pointerenter=${() => { this.sub = false; }}
      @click=${() => this.dispatchEvent(new CustomEvent<Act>("pf-act", { detail: act }))}>${icon(pic)}${label}</button>`;
  }

  private kind(type: TypeInfo): TemplateResult {
    const words = kindWords(type.kind);
    return html`<button type="button" role="menuitem" tabindex="-1" data-test="type-${type.kind}" aria-disabled=${!type.available}
      @click=${() => type.available && this.dispatchEvent(new CustomEvent<Kind>("pf-kind", { detail: type.kind }))}>
      ${icon(words.pic)}<span>${type.kind === "validation" && this.count > 1 ? t("Approval of {n} files", { n: this.count }) : words.short}
        <small>${type.available ? words.about : type.reason}</small></span></button>`;
  }

  private submenu(): TemplateResult {
    const { types } = this;
    const validation = types?.filter((type) => type.kind === "validation") ?? [];
    const signature = types?.filter((type) => type.kind !== "validation") ?? [];
    return html`<div class="pf-menu sub" role="menu" aria-label=${t("Workflow")}>
      ${types ? html`<p class="pf-section">${t("Approval")}</p>${validation.map((type) => this.kind(type))}<p class="pf-section">${t("Document signature")}</p>${signature.map((type) => this.kind(type))}`
        : html`<button type="button" role="menuitem" tabindex="-1" aria-disabled="true">${this.error ? icon("alert") : html`<span class="pf-spin"></span>`}<span>${this.error || t("Loading")}</span></button>`}</div>`;
  }

  override render() {
    return html`<div class="fm-shade" @pointerdown=${() => this.close()} @contextmenu=${(e: Event) => { e.preventDefault(); this.close(); }}></div>
      <div class="fm-menus" @keydown=${(e: KeyboardEvent) => this.keys(e)}>
        <div class="pf-menu main" role="menu" aria-label=${t("Actions")}>
          ${this.count === 1 ? html`${this.folder ? this.item("open", "folder", t("Open")) : this.item("download", "download", t("Download"))}${this.item("info", "info", t("Information"))}<hr />` : nothing}
          ${this.folder ? nothing : html`<button type="button" role="menuitem" tabindex="-1" aria-haspopup="menu" aria-expanded=${this.sub} data-test="menu-workflow"
            @pointerenter=${(e: PointerEvent) => e.pointerType === "mouse" && this.openSub(false)} @click=${() => this.openSub(true)}>${icon("flow")}<span class="grow">${t("Workflow")}</span>${icon("right", "s16")}</button><hr />`}
          ${this.count === 1 ? this.item("rename", "rename", t("Rename")) : nothing}${this.item("delete", "trash", t("Delete"))}
        </div>${this.sub ? this.submenu() : nothing}</div>`;
  }
}
define("demo-menu", FileMenu);
