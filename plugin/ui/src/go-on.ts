import { html, nothing, type TemplateResult } from "lit";
import { connect, sentence } from "./api";
import { define, PageElement } from "./element";
import { t } from "./i18n";

type Choice = "continue" | "restart" | "cancel";

/** What its creator or an admin does about a suspended flow. Tells `pf-went-on`; on a page that does not listen, it is loaded anew. */
export class GoOn extends PageElement {
  static override properties = { flow: {}, reason: {}, base: {}, busy: { state: true }, error: { state: true }, asked: { state: true } };
  flow = "";
  reason = "";
  base = "../";
  busy = false;
  error = "";
  asked = false; // whether it shall really be cancelled

  private async choose(choice: Choice): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await connect(this.base, "api/v1/me").post(`api/v1/flows/${this.flow}/resume`, { choice });
      this.asked = false;
      if (this.dispatchEvent(new CustomEvent("pf-went-on", { bubbles: true, cancelable: true }))) location.reload();
      else this.busy = false;
    } catch (error) {
      this.error = sentence(error);
      this.busy = false;
    }
  }

  private button(choice: Choice, label: string, look = "", act = () => void this.choose(choice)): TemplateResult {
    return html`<button type="button" class="pf-btn full ${look}" data-test=${choice} aria-disabled=${this.busy} aria-busy=${this.busy} @click=${act}>${label}</button>`;
  }

  override render() {
    const error = this.error ? html`<p class="pf-note danger" role="alert">${this.error}</p>` : nothing;
    if (!this.reason.startsWith("source-")) return html`${this.button("continue", t("Continue now"))}${error}`;
    return html`<div class="col">
      ${this.button("continue", t("Go on with what was sent"), "primary")}
      ${this.reason === "source-changed" ? this.button("restart", t("Ask everybody again, with the file as it is now")) : nothing}
      ${this.asked ? this.button("cancel", t("Yes, cancel this workflow"), "danger") : this.button("cancel", t("Cancel this workflow"), "quiet", () => { this.asked = true; })}</div>${error}`;
  }
}
define("parapheur-go-on", GoOn);
