import { html, nothing } from "lit";
import { connect, sentence } from "../api";
import { PageElement } from "../element";
import { icon } from "../icons";
import { t } from "../i18n";
import { initials } from "../words";
import { enter, topBar, type DemoSession } from "./session";

/** Who to be on the embedded host. */
export class DemoLogin extends PageElement {
  static override properties = { base: {}, session: { state: true }, error: { state: true } };
  base = "/";
  session: DemoSession | null = null;
  error = "";

  override connectedCallback(): void {
    super.connectedCallback();
    connect(this.base, "").get<DemoSession>("demo/api/session").then(
      (session) => { this.session = session; },
      (error: unknown) => { this.error = sentence(error); },
    );
  }

  override render() {
    const { session } = this;
    if (this.error) return html`<main class="login"><p class="pf-note danger" role="alert">${icon("alert")}${this.error}</p></main>`;
    if (!session) return nothing;
    return html`<div class="nc">${topBar({ base: this.base, session, workflows: "" })}<div class="nc-body"><main class="login">
      <div class="pf-hero"><h1>${t("Who are you?")}</h1><p class="mute">${t("This is a demonstration on your own computer. Choose one of its people.")}</p></div>
      <ul>${session.users.map((user, i) => html`<li><button type="button" class="pf-btn line full" data-test="login-${user.uid}" @click=${() => void enter(this.base, user.uid)}>
        <span class="pf-avatar c${(i % 6) + 1}" aria-hidden="true">${initials(user.name)}</span><span><span class="b">${user.name}</span><br /><span class="sm mute">${user.email}</span></span></button></li>`)}</ul></main></div></div>`;
  }
}
