import { html } from "lit";
import { connect, Declined, sentence, type Api } from "./api";
import { PageElement } from "./element";
import { icon } from "./icons";
import { t } from "./i18n";
import type { Kind, Me } from "./types";
import "./flows";
import "./wizard/wizard";

const KINDS: Kind[] = ["validation", "signature", "eidas_simple", "eidas_advanced"];

/** The host's title is "<our entry's name> - <its own name>": the first part is said in the page's language. */
function entitle(what: string): void {
  document.title = document.title.replace(/^.*?(?= - )|^[^-]*$/, what);
}

/** The page inside the host: the wizard below …/workflow/new, else the list of my flows. */
export class App extends PageElement {
  static override properties = { base: {}, files: {}, me: { state: true }, error: { state: true } };
  base = "/";
  files = "/"; // where the host's file list is
  me: Me | null = null;
  error = "";
  private api!: Api;

  override connectedCallback(): void {
    super.connectedCallback();
    this.api = connect(this.base, "api/v1/me");
    void this.begin();
  }

  private async begin(): Promise<void> {
    this.error = "";
    try {
      this.me = await this.api.get<Me>("api/v1/me");
    } catch (error) {
      const away = error instanceof Declined && (error.problem.code === "not-signed-in" || error.problem.status === 401);
      if (away) location.replace(this.files);
      else this.error = sentence(error);
    }
  }

  override render() {
    if (this.error) return html`<div class="wz-sent"><p class="pf-note danger" role="alert">${icon("alert")}<span class="grow">${this.error}</span>
      <button type="button" class="pf-link" @click=${() => void this.begin()}>${t("Try again")}</button></p></div>`;
    if (!this.me) return html`<p class="wz-sent row mute"><span class="pf-spin"></span>${t("Loading")}</p>`;
    const isNew = /\/new\/?$/.test(location.pathname);
    entitle(isNew ? t("New workflow") : t("Workflows"));
    const list = location.pathname.replace(/\/new\/?$/, "");
    if (!isNew) return html`<parapheur-flows .api=${this.api} .me=${this.me} .base=${this.base} .files=${this.files}></parapheur-flows>`;
    const query = new URLSearchParams(location.search);
    const kind = KINDS.find((one) => one === query.get("kind")) ?? "";
    const ids = [...new Set((query.get("fileIds") ?? "").split(",").filter((id) => /^\d+$/.test(id)))];
    return html`<parapheur-wizard .api=${this.api} .me=${this.me} .base=${this.base} .files=${this.files} .follow="${list}#sent" .kind=${kind} .fileIds=${ids}></parapheur-wizard>`;
  }
}
