import { html, nothing, type TemplateResult } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { connect, Declined, sentence, type Api } from "./api";
import { confirm, frame, type Frame } from "./dialog";
import { define, PageElement } from "./element";
import { icon } from "./icons";
import { size, t, tn } from "./i18n";
import { Again } from "./sign/again";
import { approval, preview, refusal, signLabel, whyNot, type SigningState, type Tab } from "./sign/decisions";
import { done, type Decision } from "./sign/done";
import { IMAGE_LIMIT_BYTES, inkFromFile, signature, type Ink } from "./sign/ink";
import "./sign/pad";
import type { SigningPad } from "./sign/pad";
import { goToMyPlace, markRead, reloadSaying, showAnew, showMarks, showSaid, showTimes, watchReading } from "./sign/page";
import { offerText } from "./sign/text";
import { inkFromText, LONGEST } from "./sign/typed";
import type { FlowOut, LinkFlow } from "./types";

const TABS: Tab[] = ["draw", "image", "type"];

/** There is nothing left to decide here: the page as it is now says why. */
const OVER = new Set(["already-decided", "flow-ended", "replaced", "flow-suspended", "not-your-turn"]);

/** Makes the server's page act: the bar, the sheets, the marks. Reading works without it. */
class Signing extends PageElement {
  static override properties = {
    flow: { state: true }, open: { state: true }, signing: { state: true }, text: { state: true }, outcome: { state: true },
  };
  flow: LinkFlow | null = null;
  open: "" | "sign" | "refuse" | "approve" = "";
  signing: SigningState = { tab: "draw", ink: null, imageName: "", imageError: "", consent: false, busy: false, error: "", stale: false, again_s: 0 };
  text = "";
  outcome: { decision: Decision; flow: FlowOut } | null = null;
  private drawn: Ink | null = null;
  private imported: Ink | null = null;
  private typed: Ink | null = null;
  private typedName: string | null = null; // null: not touched yet
  private writing = Promise.resolve(); // until what was typed is ink
  private strokes: SigningPad["strokes"] = []; // outlive the sheet
  private pad = createRef<SigningPad>();
  private api!: Api;
  private seen: number[] = []; // not told yet
  private stopWatching = () => {};
  private again = new Again((again_s) => this.set({ again_s }));
  private once = () => {}; // what is tried again

  private get apiBase(): string {
    return this.getAttribute("api-base") ?? "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.replaceChildren(); // what the page says while no script runs
    showTimes();
    offerText();
    showSaid();
    if (this.getAttribute("state-page") !== "act") return;
    const boot = JSON.parse(document.getElementById("pf-boot")?.textContent || "{}") as { flow?: LinkFlow };
    this.api = connect(`${this.apiBase}/`, "flow.json", boot.flow?.csrf_token);
    if (boot.flow) this.begin(boot.flow);
    else void this.api.get<LinkFlow>("flow.json").then((flow) => this.begin(flow));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopWatching();
    this.again.stop();
  }

  private begin(flow: LinkFlow): void {
    this.flow = flow;
    this.stopWatching = watchReading((n) => {
      markRead(n);
      this.seen.push(n);
      this.tellSeen();
    });
  }

  /** What was read, told to the server; not across a decision that is under way, which makes it a thing of the past. */
  private tellSeen(): void {
    if (this.signing.busy || this.outcome || !this.seen.length) return;
    this.api.post("view", { documents: this.seen }).catch(() => {}); // no condition for deciding
    this.seen = [];
  }

  private get approving(): boolean {
    return this.flow?.kind === "validation" || this.flow?.me.role === "validator";
  }

  private set(change: Partial<SigningState>): void {
    if ("ink" in change || "consent" in change) this.again.forget(); // what would be tried again is not meant any more
    this.signing = { ...this.signing, ...change };
  }

  private show(which: typeof this.open): void {
    this.again.forget();
    this.set({ error: "" });
    this.text = "";
    this.open = which;
  }

  protected override updated(): void {
    if (this.flow && !this.outcome && !this.approving) showMarks(this.flow, this.signing.ink, () => this.show("sign"));
  }

  private async decide(path: string, body: unknown, decision: Decision): Promise<void> {
    if (this.signing.busy) return;
    this.again.stop();
    this.set({ busy: true, error: "", stale: false });
    try {
      const flow = await this.api.post<FlowOut>(path, body);
      this.again.forget();
      this.stopWatching();
      this.open = "";
      this.outcome = { decision, flow };
      const page = document.getElementById("main");
      if (page) page.id = "read", page.hidden = true;
      await this.updateComplete;
      this.querySelector<HTMLElement>("#main")?.focus();
      window.scrollTo(0, 0);
    } catch (error) {
      const { status, code, retry_s = 0 } = error instanceof Declined ? error.problem : { status: 0, code: "" };
      if (status === 409 && OVER.has(code)) return reloadSaying(sentence(error));
      this.set({ error: sentence(error), stale: status === 409 });
      this.once = () => void this.decide(path, body, decision);
      if (retry_s) this.again.later(retry_s, this.once);
    } finally {
      this.set({ busy: false });
      this.tellSeen();
    }
  }

  /** The flow as it is now: the drawing stays, the documents are shown anew, consent is asked for again. */
  private async refresh(): Promise<void> {
    if (this.signing.busy) return;
    this.set({ busy: true });
    try {
      const flow = await this.api.get<LinkFlow>("flow.json");
      if (flow.state !== "running" || !["invited", "viewed"].includes(flow.me.state)) return location.reload();
      this.flow = flow;
      showAnew(flow);
      this.show("");
      this.set({ consent: false, stale: false });
    } catch (error) {
      this.set({ error: sentence(error) });
    } finally {
      this.set({ busy: false });
    }
  }

  private hashes(): Record<string, string> {
    return Object.fromEntries((this.flow?.documents ?? []).map((d) => [String(d.n), d.current_sha256]));
  }

  /** With what stands in the field, though its picture may not be there yet. */
  private async sign(): Promise<void> {
    for (let writing; this.signing.tab === "type" && writing !== this.writing; ) await (writing = this.writing);
    const { ink } = this.signing;
    if (!ink) return;
    void this.decide("sign", {
      signature: signature(ink), consent: true, documents: this.hashes(),
    }, "signed");
  }

  private tab(tab: Tab): void {
    this.set({ tab, ink: { draw: this.drawn, image: this.imported, type: this.typed }[tab] });
    if (tab === "type" && this.typedName === null) this.write(this.flow?.me.name ?? "");
  }

  /** What is typed becomes ink once its picture is there; a later letter overtakes an earlier one. */
  private write(name: string): void {
    this.typedName = name;
    this.requestUpdate();
    this.writing = this.written(name);
  }

  private async written(name: string): Promise<void> {
    const ink = await inkFromText(name);
    if (this.typedName !== name) return;
    this.typed = ink;
    if (this.signing.tab === "type") this.set({ ink });
  }

  private async choose(input: HTMLInputElement): Promise<void> {
    const file = input.files?.[0];
    input.value = "";
    if (!file) return;
    const fail = (imageError: string) => this.set({ imageError });
    if (!/^image\/(png|jpeg)$/.test(file.type)) return fail(t("Only PNG and JPEG images can be used."));
    if (file.size > IMAGE_LIMIT_BYTES) return fail(t("This image is larger than {size}.", { size: size(IMAGE_LIMIT_BYTES) }));
    try {
      this.imported = await inkFromFile(file);
    } catch {
      return fail(t("This file cannot be read as an image."));
    }
    if (!this.imported) return fail(t("Nothing can be seen on this image."));
    this.set({ ink: this.imported, imageName: `${file.name}, ${size(file.size)}`, imageError: "" });
  }

  private tabs(): TemplateResult {
    const one = (tab: Tab, label: string, pic: TemplateResult) => html`<button type="button" role="tab"
      aria-selected=${this.signing.tab === tab} data-test="tab-${tab}" tabindex=${this.signing.tab === tab ? 0 : -1}
      @click=${() => this.tab(tab)}>${pic}${label}</button>`;
    const turn = (event: KeyboardEvent) => {
      const step = { ArrowLeft: TABS.length - 1, ArrowRight: 1 }[event.key];
      if (!step) return;
      this.tab(TABS[(TABS.indexOf(this.signing.tab) + step) % TABS.length] ?? "draw");
      void this.updateComplete.then(() => this.querySelector<HTMLElement>("[role=tab][aria-selected=true]")?.focus());
    };
    return html`<div class="pf-seg" role="tablist" aria-label=${t("How to sign")} @keydown=${turn}>
      ${one("draw", t("Draw"), icon("rename", "s16"))}${one("image", t("Upload an image"), icon("image", "s16"))}${one("type", t("Type your name"), icon("text", "s16"))}</div>`;
  }

  private typeTab(): TemplateResult {
    return html`<div class="pf-pad img">${this.typed ? html`<img src=${this.typed.png} alt=${t("Your signature, from your name")} />` : nothing}</div>
      <label class="pf-field"><span class="pf-label">${t("Your name")}</span>
        <input class="pf-input" type="text" autocomplete="name" maxlength=${LONGEST} data-test="type-name" .value=${this.typedName ?? ""}
          @input=${(event: Event) => this.write((event.target as HTMLInputElement).value)} /></label>`;
  }

  private imageTab(): TemplateResult {
    const { imageName, imageError } = this.signing;
    const input = html`<input class="vh" type="file" accept="image/png,image/jpeg" data-test="image-input" tabindex="-1" aria-hidden="true"
      @change=${(event: Event) => void this.choose(event.target as HTMLInputElement)} />`;
    const pick = () => this.querySelector<HTMLInputElement>("[data-test=image-input]")?.click();
    const problem = imageError ? html`<p class="pf-err" role="alert">${icon("alert", "s16")}${imageError}</p>` : nothing;
    if (!this.imported)
      return html`${input}<div class="pf-pad img pick">${icon("image", "s32")}
          <button type="button" class="pf-btn" @click=${pick}>${icon("upload")}${t("Choose an image")}</button>
          <span class="sm">${t("PNG or JPG, 2 MB at most.")}</span></div>${problem}`;
    return html`${input}<div class="pf-pad img"><img src=${this.imported.png} alt=${t("Your signature, from the image")} /></div>
      <div class="row wrap"><span class="grow sm"><span class="b">${imageName}</span>
        ${this.imported.cleared ? html`<span class="mute">${t("background made transparent")}</span>` : nothing}</span>
        <button type="button" class="pf-btn small" @click=${pick}>${t("Change image")}</button></div>${problem}`;
  }

  private drawTab(): TemplateResult {
    const blank = !this.strokes.length;
    return html`<parapheur-pad ${ref(this.pad)} ?hidden=${this.signing.tab !== "draw"}
        .strokes=${this.strokes}
        @pf-ink=${(event: CustomEvent<Ink | null>) => {
          this.strokes = this.pad.value?.strokes ?? [];
          this.drawn = event.detail;
          this.set({ ink: this.drawn });
        }}></parapheur-pad>
      ${this.signing.tab !== "draw" ? nothing : html`<div class="row"><span class="grow sm mute">${this.drawn || blank ? "" : t("A little more: two strokes, or one longer line.")}</span>
        <button type="button" class="pf-btn quiet" aria-disabled=${blank} @click=${() => this.pad.value?.undo()}>${icon("undo")}${t("Undo")}</button>
        <button type="button" class="pf-btn quiet" aria-disabled=${blank} data-test="clear" @click=${() => this.pad.value?.clear()}>${icon("trash")}${t("Clear")}</button></div>`}`;
  }

  private get retrying(): Frame["again"] {
    const { again_s } = this.signing;
    const kept = this.open === "sign"
      ? t("Your signature was not saved. Your drawing is kept.") : t("Your decision was not saved. What you wrote is kept.");
    return again_s ? { in_s: again_s, kept, now: () => this.once() } : undefined;
  }

  private get reload(): (() => void) | undefined {
    return this.signing.stale ? () => void this.refresh() : undefined;
  }

  private signDialog(flow: LinkFlow): TemplateResult {
    const { busy, error, consent, ink } = this.signing;
    return frame({
      title: t("Your signature"), busy, error, close: () => this.show(""), reload: this.reload, again: this.retrying,
      body: html`${this.tabs()}${this.drawTab()}${this.signing.tab === "image" ? this.imageTab() : this.signing.tab === "type" ? this.typeTab() : nothing}
        ${preview(flow, ink, this.apiBase)}
        <label class="pf-check"><input type="checkbox" data-test="consent" .checked=${consent}
          @change=${(event: Event) => this.set({ consent: (event.target as HTMLInputElement).checked })} />
          <span class="sm">${flow.consent}</span></label>`,
      foot: confirm({ label: signLabel(flow), blocked: whyNot(this.signing), busy, act: () => void this.sign(), test: "sign-confirm", pic: icon("sign") }),
    });
  }

  private bar(flow: LinkFlow): TemplateResult {
    const places = flow.placements.filter((p) => p.mine).length;
    const info = this.approving
      ? html`${icon("approve")}<span>${tn("Your approval of one file is asked for", "Your approval of {n} files is asked for", flow.documents.length)}</span>`
      : html`${icon("sign")}<span><b>${this.signing.ink ? t("Your signature is in place") : tn("One signature to add", "{n} signatures to add", places)}</b>
          <span class="mute">${tn("in one document", "in {n} documents", flow.documents.length)}</span></span>`;
    return html`<div class="ex-bar" role="region" aria-label=${t("Your decision")}>
      <div class="info">${info}</div>
      ${places && !this.approving ? html`<button type="button" class="pf-btn quiet jump" @click=${goToMyPlace}>${icon("down")}${t("Go to my signature")}</button>` : nothing}
      <button type="button" class="pf-btn danger lg" data-test="refuse-open" @click=${() => this.show("refuse")}>${t("Refuse")}</button>
      ${this.approving
        ? html`<button type="button" class="pf-btn primary lg" data-test="approve-open" @click=${() => this.show("approve")}>${icon("check")}${t("Approve")}</button>`
        : html`<button type="button" class="pf-btn primary lg" data-test="sign-open" @click=${() => this.show("sign")}>${icon("sign")}${t("Sign")}</button>`}
    </div>`;
  }

  override render() {
    const { flow, outcome } = this;
    if (!flow) return nothing;
    const external = this.hasAttribute("external");
    if (outcome) return done({ decision: outcome.decision, before: flow, after: outcome.flow, apiBase: this.apiBase, external });
    const texts = {
      flow, busy: this.signing.busy, error: this.signing.error, reload: this.reload, again: this.retrying,
      close: () => this.show(""), type: (text: string) => { this.again.forget(); this.text = text; },
    };
    return html`${this.bar(flow)}
      ${this.open === "sign" ? this.signDialog(flow) : nothing}
      ${this.open === "refuse" ? refusal({ ...texts, reason: this.text, send: () => void this.decide("refuse", { reason: this.text.trim() }, "refused") }) : nothing}
      ${this.open === "approve" ? approval({
        ...texts, comment: this.text,
        send: () => void this.decide("approve", { documents: this.hashes(), ...(this.text.trim() ? { comment: this.text.trim() } : {}) }, "approved"),
      }) : nothing}`;
  }
}
define("parapheur-sign", Signing);
