import { html, nothing } from "lit";
import { connect, sentence } from "./api";
import { define, PageElement } from "./element";
import { t } from "./i18n";

/** On the page of a suspended flow: whoever may, lets it go on. The page is loaded anew when it does. */
class GoOn extends PageElement {
  static override properties = { busy: { state: true }, error: { state: true } };
  busy = false;
  error = "";

  private async goOn(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await connect("../", "api/v1/me").post(`api/v1/flows/${this.getAttribute("flow") ?? ""}/resume`, { choice: "continue" });
      location.reload();
    } catch (error) {
      this.error = sentence(error);
      this.busy = false;
    }
  }

  override render() {
    return html`<button type="button" class="pf-btn full" data-test="continue" aria-disabled=${this.busy} aria-busy=${this.busy} @click=${() => void this.goOn()}>${t("Continue now")}</button>
      ${this.error ? html`<p class="pf-note danger" role="alert">${this.error}</p>` : nothing}`;
  }
}
define("parapheur-go-on", GoOn);
