import { html, nothing, type TemplateResult } from "lit";
import { sentence, type Api } from "./api";
import { define, PageElement } from "./element";
import { icon } from "./icons";
import { t, tn, when } from "./i18n";
import { flowTag, river } from "./parts";
import type { FlowOut, FlowSummary, Me } from "./types";
import { kindName } from "./words";

type BoxName = "todo" | "sent" | "done" | "hand";

/** My flows: what waits for me, what I sent, what is finished. */
class Flows extends PageElement {
  static override properties = {
    api: { attribute: false }, me: { attribute: false }, base: {}, files: {}, box: { state: true }, flows: { state: true }, open: { state: true }, detail: { state: true }, error: { state: true },
  };
  api!: Api;
  me!: Me;
  base = "/";
  files = "/";
  box: BoxName = "todo";
  flows: FlowSummary[] | null = null;
  open = "";
  detail: FlowOut | null = null;
  error = "";

  override connectedCallback(): void {
    super.connectedCallback();
    const wanted = location.hash.slice(1);
    if (wanted === "sent" || wanted === "done" || (wanted === "hand" && this.me.is_admin)) this.box = wanted;
    void this.load();
  }

  private async load(): Promise<void> {
    const { box } = this;
    this.error = "";
    this.flows = null;
    this.open = "";
    try {
      const { flows } = await this.api.get<{ flows: FlowSummary[] }>(`api/v1/flows?box=${box}`);
      if (box === this.box) this.flows = flows;
    } catch (error) {
      this.error = sentence(error);
    }
  }

  private choose(box: BoxName): void {
    this.box = box;
    history.replaceState(null, "", `#${box}`);
    void this.load();
  }

  private async toggle(id: string): Promise<void> {
    this.open = this.open === id ? "" : id;
    this.detail = null;
    if (!this.open) return;
    try {
      this.detail = await this.api.get<FlowOut>(`api/v1/flows/${id}`);
    } catch (error) {
      this.error = sentence(error);
    }
  }

  private row(flow: FlowSummary): TemplateResult {
    const shown = this.open === flow.id;
    return html`<li data-test="flow" data-id=${flow.id}>
      <div class="row wrap line">
        <span class="pf-seal small" aria-hidden="true">${icon(flow.kind === "validation" ? "approve" : "sign")}</span>
        <div class="grow col tight"><span class="b">${flow.title}</span>
          <span class="sm mute">${kindName(flow.kind)} · ${flow.creator.user === this.me.user ? t("sent by you") : flow.creator.name} · ${when(flow.updated_at)}</span></div>
        <span class="sm num mute">${tn("{n} of {total} steps", "{n} of {total} steps", flow.steps_done, { total: flow.steps_total })}</span>
        ${flowTag(flow.state)}
        ${this.box === "hand" ? html`<a class="pf-btn" data-test="look" href="${this.base}f/${flow.id}">${t("See why")}</a>` : nothing}
        ${flow.my_turn ? html`<a class="pf-btn primary" data-test="act" href="${this.base}f/${flow.id}">${flow.kind === "validation" ? t("Review") : t("Sign")}</a>` : nothing}
        <button type="button" class="pf-btn quiet" aria-expanded=${shown} @click=${() => void this.toggle(flow.id)}>${t("See details")}${icon(shown ? "up" : "down", "s16")}</button></div>
      ${shown ? html`<div class="inside">${this.detail ? river(this.detail, this.me.user) : html`<span class="pf-spin"></span>`}</div>` : nothing}
    </li>`;
  }

  override render() {
    const tab = (box: BoxName, label: string) => html`<button type="button" role="tab" aria-selected=${this.box === box} data-test="box-${box}" @click=${() => this.choose(box)}>${label}</button>`;
    return html`<div class="fl"><header class="row wrap"><h1 class="grow">${t("Workflows")}</h1>
        <a class="pf-btn quiet" href=${this.files}>${icon("folder")}${t("Files")}</a></header>
      <div class="pf-seg" role="tablist" aria-label=${t("Workflows")}>${tab("todo", t("To do"))}${tab("sent", t("Sent"))}${tab("done", t("Finished flows"))}${this.me.is_admin ? tab("hand", t("Need a hand")) : nothing}</div>
      ${this.error ? html`<p class="pf-note danger" role="alert">${icon("alert")}<span class="grow">${this.error}</span><button type="button" class="pf-link" @click=${() => void this.load()}>${t("Try again")}</button></p>` : nothing}
      ${this.flows === null ? this.error ? nothing : html`<p class="row mute"><span class="pf-spin"></span>${t("Loading")}</p>`
        : this.flows.length ? html`<ul class="pf-card fl-list">${this.flows.map((flow) => this.row(flow))}</ul>`
        : html`<div class="pf-hero empty"><span class="pf-seal">${icon("check", "s32")}</span><h2>${t("All caught up")}</h2>
          <p class="mute">${this.box === "todo" ? t("Nothing is waiting for your signature or approval.") : this.box === "hand" ? t("No workflow needs a hand.") : t("Nothing here yet. Start from a file: right-click, Workflow.")}</p></div>`}
    </div>`;
  }
}
define("parapheur-flows", Flows);
