import { html, nothing, type TemplateResult } from "lit";
import { connect, sentence, type Api } from "./api";
import { PageElement } from "./element";
import "./go-on";
import { icon } from "./icons";
import { t, tn, when } from "./i18n";
import { flowTag, river } from "./parts";
import type { FileFlow, Me } from "./types";
import { kindName } from "./words";

const EVERY_MS = 6000;
const isOpen = (flow: FileFlow) => flow.state === "running" || flow.state === "suspended";

/** The flows of one file, for the Informations panel. Looks again while one runs and the page is in sight. */
export class Panel extends PageElement {
  static override properties = { fileId: { attribute: "file-id" }, base: {}, wizard: {}, quiet: { type: Boolean }, flows: { state: true }, error: { state: true } };
  fileId = "";
  base = "/";
  wizard = ""; // where a new flow begins; the file is added as ?fileIds=
  quiet = false; // shows itself only where the file has flows: on a page that is about something else
  flows: FileFlow[] | null = null;
  error = "";
  private me: Me | null = null;
  private api!: Api;
  private timer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.api = connect(this.base, "api/v1/me");
    document.addEventListener("visibilitychange", this.seen);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  private seen = () => { if (!document.hidden) void this.load(); };

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (!changed.has("fileId") || !this.fileId) return;
    this.flows = null;
    void this.load();
  }

  private async load(): Promise<void> {
    window.clearTimeout(this.timer);
    const { fileId } = this;
    if (!fileId || !this.isConnected) return;
    try {
      this.me ??= await this.api.get<Me>("api/v1/me");
      const { flows } = await this.api.get<{ flows: FileFlow[] }>(`api/v1/files/${fileId}/flows`);
      if (fileId !== this.fileId) return;
      const before = this.flows;
      this.flows = flows;
      this.error = "";
      if (before && before.some(isOpen) && JSON.stringify(before.map((f) => f.state)) !== JSON.stringify(flows.map((f) => f.state)))
        this.dispatchEvent(new CustomEvent("pf-flows-changed", { bubbles: true }));
      if (!document.hidden && flows.some(isOpen)) this.timer = window.setTimeout(() => void this.load(), EVERY_MS);
    } catch (error) {
      if (fileId === this.fileId) this.error = sentence(error); // no further polling: the button tries again
    }
  }

  private flow(flow: FileFlow): TemplateResult {
    const { detail } = flow;
    const mine = detail?.steps.flatMap((s) => s.recipients).find((r) => r.user === this.me?.user && (r.state === "invited" || r.state === "viewed"));
    const isCreator = detail?.creator.user === this.me?.user;
    const copy = detail?.documents.find((d) => d.file_id === this.fileId) ?? detail?.documents[0];
    return html`<section class="pn-flow" data-test="flow" data-id=${flow.id} data-state=${flow.state}>
      <div class="row"><h3 class="grow">${flow.title ?? kindName(flow.kind)}</h3>${flowTag(flow.state)}</div>
      <p class="sm mute">${kindName(flow.kind)} · ${when(flow.created_at)} · ${tn("{n} of {total} steps", "{n} of {total} steps", flow.steps_done, { total: flow.steps_total })}</p>
      ${detail ? river(detail, this.me?.user ?? null) : nothing}
      ${(detail?.warnings ?? []).map((text) => html`<p class="pf-note wait">${icon("alert")}${text}</p>`)}
      <div class="row wrap pn-acts">
        ${detail?.suspension && detail.suspension.reason !== "creator-gone" && (isCreator || this.me?.is_admin)
          ? html`<parapheur-go-on flow=${flow.id} reason=${detail.suspension.reason} base=${this.base} @pf-went-on=${(event: Event) => { event.preventDefault(); void this.load(); }}></parapheur-go-on>` : nothing}
        ${mine && flow.state === "running" ? html`<a class="pf-btn primary full" data-test="open-flow" href="${this.base}f/${flow.id}">${icon(flow.kind === "validation" ? "check" : "sign")}${flow.kind === "validation" ? t("Decide now") : t("Sign now")}</a>` : nothing}
        ${flow.state === "completed" && copy && flow.kind !== "validation" ? html`<a class="pf-btn primary full" data-test="signed-copy" href="${this.base}api/v1/flows/${flow.id}/documents/${copy.n}" download>${icon("download")}${t("Signed copy")}</a>` : nothing}
        ${isCreator && !mine ? html`<a class="pf-btn" data-test="follow-flow" href="${this.base}f/${flow.id}">${icon("eye")}${t("See details")}</a>` : nothing}
        ${isCreator ? html`<a class="pf-btn" data-test="evidence" href="${this.base}api/v1/flows/${flow.id}/evidence?format=pdf" download>${icon("shield")}${t("Evidence")}</a>` : nothing}
      </div></section>`;
  }

  override render() {
    if (this.quiet && !this.flows?.length) return nothing;
    const add = this.wizard ? html`<a class="pf-btn ${this.flows?.length ? "line full" : "primary"}" data-test="add-flow" href="${this.wizard}?fileIds=${this.fileId}">${icon("plus")}${t("Add a workflow")}</a>` : nothing;
    return html`<div class="pn" data-test="panel"><h2 class=${this.quiet ? "" : "pf-section"}>${this.quiet ? t("Workflows on this file") : t("Workflow")}</h2>
      ${this.error ? html`<p class="pf-note danger" role="alert">${icon("alert")}<span class="grow">${this.error}</span><button type="button" class="pf-link" @click=${() => void this.load()}>${t("Try again")}</button></p>` : nothing}
      ${this.flows === null ? (this.error ? nothing : html`<p class="row mute"><span class="pf-spin"></span>${t("Loading")}</p>`)
        : this.flows.length ? html`${this.flows.map((flow) => this.flow(flow))}${add}`
        : html`<div class="pf-hero empty">${stream()}<h3>${t("No workflow on this file")}</h3>
          <p class="sm mute">${t("Have this document approved or signed, one person after another. Each step will show here.")}</p>${add}</div>`}</div>`;
  }
}

const stream = () => html`<svg class="pn-stream" viewBox="0 0 220 70" aria-hidden="true" focusable="false"><path class="past" d="M22 38C45 12 60 12 82 30" /><path class="next" d="M82 30c22 18 34 26 56 8s34-22 56-2" />
  <circle class="done" cx="22" cy="38" r="13" /><path class="tick" d="m16 38 4.5 4.5 8-9" /><circle cx="102" cy="43" r="11" /><circle cx="190" cy="33" r="11" /></svg>`;
