import { html, nothing, type TemplateResult } from "lit";
import { connect, sentence, type Api } from "../api";
import { confirm, frame } from "../dialog";
import { PageElement } from "../element";
import { icon } from "../icons";
import { size, t, tn, when } from "../i18n";
import { sheetIcon } from "../parts";
import type { Kind, TypeInfo } from "../types";
import "./menu";
import type { Act } from "./menu";
import { topBar, type DemoSession } from "./session";

interface Entry {
  file_id: string;
  name: string;
  path: string;
  is_folder: boolean;
  size_bytes: number;
  mime: string;
  modified_at: string;
}

type Asked = { what: "rename" | "folder"; text: string; entry: Entry | null } | { what: "delete"; entries: Entry[] };

/** The file manager of the embedded host: what a platform's own would be. */
export class DemoFiles extends PageElement {
  static override properties = {
    base: {}, session: { state: true }, folder: { state: true }, entries: { state: true }, chosen: { state: true }, shown: { state: true }, menu: { state: true }, types: { state: true }, menuError: { state: true },
    asked: { state: true }, error: { state: true }, busy: { state: true }, over: { state: true }, told: { state: true }, dialogError: { state: true },
  };
  base = "/";
  session: DemoSession | null = null;
  folder = "";
  entries: Entry[] | null = null;
  chosen = new Set<string>();
  shown: Entry | null = null;
  menu: { x: number; y: number; entries: Entry[]; opener: HTMLElement | null } | null = null;
  types: TypeInfo[] | null = null;
  menuError = "";
  asked: Asked | null = null;
  error = "";
  dialogError = "";
  busy = "";
  over = false;
  told = "";
  private api!: Api;

  private get workflows(): string {
    return `${this.base}apps/app_api/embedded/parapheur/workflow`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.api = connect(this.base, "api/v1/me");
    this.addEventListener("pf-flows-changed", () => void this.load());
    window.addEventListener("hashchange", () => this.follow());
    void this.begin();
  }

  private async begin(): Promise<void> {
    this.session = await this.api.get<DemoSession>("demo/api/session");
    if (this.session.user) this.follow();
  }

  private follow(): void {
    this.folder = decodeURIComponent(location.hash.slice(1));
    this.chosen = new Set();
    this.shown = null;
    void this.load();
  }

  private async load(): Promise<void> {
    const { folder } = this;
    try {
      const { entries } = await this.api.get<{ entries: Entry[] }>(`demo/api/files?dir=${encodeURIComponent(folder)}`);
      if (folder !== this.folder) return;
      this.entries = entries;
      this.shown = entries.find((e) => e.file_id === this.shown?.file_id) ?? null;
      this.chosen = new Set([...this.chosen].filter((id) => entries.some((e) => e.file_id === id)));
      this.error = "";
    } catch (error) {
      this.error = sentence(error);
      this.entries ??= [];
    }
  }

  private async post(path: string, body: unknown): Promise<boolean> {
    const response = await fetch(this.base + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
    if (response?.ok) return true;
    const taken = response?.status === 409;
    this.dialogError = taken ? t("Something of that name is already there.") : t("This did not work. Try again in a moment.");
    return false;
  }

  private async upload(files: FileList): Promise<void> {
    for (const file of Array.from(files)) {
      this.busy = file.name;
      const query = `dir=${encodeURIComponent(this.folder)}&name=${encodeURIComponent(file.name)}`;
      const response = await fetch(`${this.base}demo/api/upload?${query}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } }).catch(() => null);
      if (!response?.ok) this.error = t("“{name}” could not be uploaded.", { name: file.name });
      else this.told = t("“{name}” is there.", { name: file.name });
    }
    this.busy = "";
    await this.load();
    window.setTimeout(() => { this.told = ""; }, 4000);
  }

  // ---- menu --------------------------------------------------------------------------------------------------------
  private openMenu(e: MouseEvent | KeyboardEvent, entry: Entry): void {
    e.preventDefault();
    e.stopPropagation();
    if (!this.chosen.has(entry.file_id)) this.chosen = new Set([entry.file_id]);
    const opener = e.currentTarget as HTMLElement;
    const r = (opener.querySelector(".fm-name") ?? opener).getBoundingClientRect();
    const pointed = e instanceof MouseEvent && e.type === "contextmenu" && e.clientX > 0;
    const entries = (this.entries ?? []).filter((one) => this.chosen.has(one.file_id));
    this.menu = { x: pointed ? e.clientX : r.left + 24, y: pointed ? e.clientY : r.bottom - 4, entries, opener: document.activeElement as HTMLElement | null };
    void this.loadTypes(entries);
  }

  private async loadTypes(entries: Entry[]): Promise<void> {
    this.types = null;
    this.menuError = "";
    if (entries.some((e) => e.is_folder)) return;
    try {
      this.types = (await this.api.get<{ types: TypeInfo[] }>(`api/v1/types?file_ids=${entries.map((e) => e.file_id).join(",")}`)).types;
    } catch (error) {
      this.menuError = sentence(error);
    }
  }

  private closeMenu(): void {
    this.menu?.opener?.focus();
    this.menu = null;
  }

  private act(act: Act): void {
    const entries = this.menu?.entries ?? [];
    const entry = entries[0];
    this.closeMenu();
    if (!entry) return;
    this.dialogError = "";
    if (act === "open") this.enter(entry);
    else if (act === "download") this.download(entry);
    else if (act === "info") this.show(entry);
    else if (act === "rename") this.asked = { what: "rename", text: entry.name, entry };
    else this.asked = { what: "delete", entries };
  }

  private launch(kind: Kind): void {
    const ids = (this.menu?.entries ?? []).map((e) => e.file_id).join(",");
    location.assign(`${this.workflows}/new?kind=${kind}&fileIds=${ids}`);
  }

  private enter(entry: Entry): void {
    location.hash = encodeURIComponent(entry.path.replace(/^\//, ""));
  }

  private show(entry: Entry): void {
    this.shown = entry;
    this.chosen = new Set([entry.file_id]);
  }

  private download(entry: Entry): void {
    const link = document.createElement("a");
    link.href = `${this.base}demo/api/download?path=${encodeURIComponent(entry.path)}`;
    link.download = entry.name;
    link.click();
  }

  private async answer(): Promise<void> {
    const { asked } = this;
    if (!asked) return;
    this.dialogError = "";
    let fine = true;
    if (asked.what === "delete") for (const entry of asked.entries) fine &&= await this.post("demo/api/delete", { path: entry.path });
    else if (asked.what === "rename" && asked.entry) fine = await this.post("demo/api/rename", { path: asked.entry.path, name: asked.text.trim() });
    else if (asked.what === "folder") fine = await this.post("demo/api/folder", { dir: this.folder, name: asked.text.trim() });
    if (fine) this.asked = null;
    await this.load();
  }

  // ---- looks -------------------------------------------------------------------------------------------------------
  private toggle(id: string): void {
    const next = new Set(this.chosen);
    if (!next.delete(id)) next.add(id);
    this.chosen = next;
  }

  private row(entry: Entry): TemplateResult {
    const on = this.chosen.has(entry.file_id);
    const keys = (e: KeyboardEvent) => { if (e.key === "ContextMenu" || (e.key === "F10" && e.shiftKey)) this.openMenu(e, entry); };
    return html`<tr class=${on ? "sel" : ""} data-test="file-row" data-name=${entry.name} data-file-id=${entry.file_id} @contextmenu=${(e: MouseEvent) => this.openMenu(e, entry)} @keydown=${keys}>
      <td class="c-check"><label class="pf-check"><input type="checkbox" .checked=${on} aria-label=${t("Select “{name}”", { name: entry.name })} @change=${() => this.toggle(entry.file_id)} /></label></td>
      <td><button type="button" class="fm-name" @click=${() => (entry.is_folder ? this.enter(entry) : this.show(entry))}>${entry.is_folder ? icon("folder") : sheetIcon(entry.name)}<span class="ell">${entry.name}</span></button></td>
      <td class="c-size sm mute num">${entry.is_folder ? "" : size(entry.size_bytes)}</td><td class="c-when sm mute ell">${when(entry.modified_at)}</td>
      <td class="c-more"><button type="button" class="pf-btn quiet ico" aria-haspopup="menu" aria-label=${t("Actions for “{name}”", { name: entry.name })} @click=${(e: MouseEvent) => this.openMenu(e, entry)}>${icon("more")}</button></td></tr>`;
  }

  private crumbs(): TemplateResult {
    const parts = this.folder.split("/").filter(Boolean);
    const pick = () => this.querySelector<HTMLInputElement>("[data-test=upload-input]")?.click();
    return html`<div class="fm-crumbs"><nav aria-label=${t("Folder")}><ol>
        <li><a class="pf-btn quiet" href="#" aria-label=${t("All files")}>${icon("home")}${parts.length ? nothing : t("All files")}</a></li>
        ${parts.map((part, i) => html`<li>${icon("right", "s16")}<a class="pf-btn quiet" href="#${encodeURIComponent(parts.slice(0, i + 1).join("/"))}" aria-current=${i === parts.length - 1 ? "page" : nothing}>${part}</a></li>`)}</ol></nav>
      <button type="button" class="pf-btn primary" @click=${pick}>${icon("upload")}${t("Upload")}</button>
      <button type="button" class="pf-btn" @click=${() => { this.dialogError = ""; this.asked = { what: "folder", text: "", entry: null }; }}>${icon("plus")}${t("New folder")}</button>
      <input class="vh" type="file" multiple tabindex="-1" aria-hidden="true" data-test="upload-input" @change=${(e: Event) => { const input = e.target as HTMLInputElement; if (input.files?.length) void this.upload(input.files); input.value = ""; }} />
      <span class="grow"></span>${this.busy ? html`<span class="row sm mute" aria-live="polite"><span class="pf-spin"></span>${t("Uploading {name}", { name: this.busy })}</span>`
        : this.chosen.size > 1 ? html`<span class="sm">${tn("{n} selected", "{n} selected", this.chosen.size)}</span>
          <button type="button" class="pf-btn" data-test="selection-menu" aria-haspopup="menu" @click=${(e: MouseEvent) => { const first = this.entries?.find((one) => this.chosen.has(one.file_id)); if (first) this.openMenu(e, first); }}>${icon("more")}${t("Actions")}</button>` : nothing}</div>`;
  }

  private list(entries: Entry[]): TemplateResult {
    const all = entries.length > 0 && entries.every((e) => this.chosen.has(e.file_id));
    return html`<table class="fm-table"><thead><tr>
        <th class="c-check"><label class="pf-check"><input type="checkbox" .checked=${all} .indeterminate=${!all && this.chosen.size > 0} aria-label=${t("Select all")} @change=${() => { this.chosen = new Set(all ? [] : entries.map((e) => e.file_id)); }} /></label></th>
        <th scope="col">${t("Name")}</th><th class="c-size" scope="col">${t("Size")}</th><th class="c-when" scope="col">${t("Modified")}</th><th class="c-more"><span class="vh">${t("Actions")}</span></th></tr></thead>
      <tbody>${entries.map((entry) => this.row(entry))}</tbody></table>
      ${entries.length ? nothing : html`<div class="pf-hero fm-empty"><span class="pf-seal">${icon("folder", "s32")}</span><h2>${t("This folder is empty")}</h2><p class="mute">${t("Drop files here, or use Upload.")}</p></div>`}`;
  }

  private side(entry: Entry): TemplateResult {
    return html`<aside class="fm-side" aria-label=${t("Information")}><header>${entry.is_folder ? icon("folder", "s32") : sheetIcon(entry.name)}
        <div class="grow"><h2>${entry.name}</h2><p class="sm mute">${entry.is_folder ? "" : `${size(entry.size_bytes)} · `}${t("modified {when}", { when: when(entry.modified_at) })}</p></div>
        <button type="button" class="pf-btn quiet ico" aria-label=${t("Close")} @click=${() => { this.shown = null; }}>${icon("close")}</button></header>
      <div class="bd">${entry.is_folder ? html`<p class="mute">${t("Workflows belong to files.")}</p>` : html`<parapheur-panel file-id=${entry.file_id} base=${this.base} .wizard="${this.workflows}/new"></parapheur-panel>`}</div></aside>`;
  }

  private dialog(asked: Asked): TemplateResult {
    const close = () => { this.asked = null; };
    const deleting = asked.what === "delete";
    const title = deleting ? (asked.entries.length === 1 ? t("Delete “{name}”?", { name: asked.entries[0]?.name ?? "" }) : tn("Delete this item?", "Delete these {n} items?", asked.entries.length)) : asked.what === "rename" ? t("Rename") : t("New folder");
    const text = deleting ? "" : asked.text;
    return frame({
      title, busy: false, error: this.dialogError, close,
      body: deleting ? html`<p>${t("This cannot be undone here.")}</p>` : html`<label class="pf-field"><span class="pf-label">${t("Name")}</span>
        <input class="pf-input" autofocus maxlength="200" data-test="name-input" .value=${text} @input=${(e: Event) => { this.asked = { ...asked, text: (e.target as HTMLInputElement).value }; }}
          @keydown=${(e: KeyboardEvent) => e.key === "Enter" && text.trim() && void this.answer()} /></label>`,
      foot: confirm({ label: deleting ? t("Delete") : asked.what === "rename" ? t("Rename") : t("Create"), blocked: deleting || text.trim() ? "" : t("Type a name first."), busy: false, act: () => void this.answer(), test: "dialog-confirm", look: deleting ? "danger solid" : "primary" }),
    });
  }

  override render() {
    const { session, entries, menu } = this;
    if (!session) return nothing;
    if (!session.user) return html`<demo-login base=${this.base}></demo-login>`;
    const drag = (over: boolean) => (e: DragEvent) => { if (e.dataTransfer?.types.includes("Files")) { e.preventDefault(); this.over = over; } };
    return html`<div class="nc">${topBar({ base: this.base, session, workflows: this.workflows })}
      <div class="nc-body"><div class="fm ${this.shown ? "side" : ""}">
        <main class="fm-list ${this.over ? "over" : ""}" @dragover=${drag(true)} @dragleave=${drag(false)} @drop=${(e: DragEvent) => { e.preventDefault(); this.over = false; if (e.dataTransfer?.files.length) void this.upload(e.dataTransfer.files); }}>
          <h1 class="vh">${t("Files")}</h1>${this.crumbs()}
          ${this.error ? html`<p class="pf-note danger" role="alert">${icon("alert")}<span class="grow">${this.error}</span><button type="button" class="pf-link" @click=${() => void this.load()}>${t("Try again")}</button></p>` : nothing}
          ${entries ? this.list(entries) : html`<p class="row mute"><span class="pf-spin"></span>${t("Loading")}</p>`}
    ${menu ? html`<demo-menu .x=${menu.x} .y=${menu.y} .count=${menu.entries.length} .folder=${menu.entries.some((e) => e.is_folder)} .types=${this.types} .error=${this.menuError}
        @pf-close=${() => this.closeMenu()} @pf-act=${(e: CustomEvent<Act>) => this.act(e.detail)} @pf-kind=${(e: CustomEvent<Kind>) => this.launch(e.detail)}></demo-menu>` : nothing}</main>
        ${this.shown ? this.side(this.shown) : nothing}</div></div>
      ${this.asked ? this.dialog(this.asked) : nothing}
      <div aria-live="polite">${this.told ? html`<p class="pf-note ok fm-toast">${icon("check")}${this.told}</p>` : nothing}</div></div>`;
  }
}
