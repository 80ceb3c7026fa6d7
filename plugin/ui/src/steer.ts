import { html, nothing, type TemplateResult } from "lit";
import { connect, Declined, sentence } from "./api";
import { confirm, frame } from "./dialog";
import { define, PageElement } from "./element";
import { icon } from "./icons";
import { t } from "./i18n";
import type { FlowOut, RecipientOut } from "./types";

type Sheet = "" | "extend" | "cancel" | "link" | "replace";
const EMAIL = /^[^@\s]+@[^@\s]+\.[^@\s]+$/;

/** What its creator or an admin does to a flow on its way: remind, extend, new link, somebody else, cancel. The page is loaded anew. */
export class Steer extends PageElement {
  static override properties = {
    flow: {}, base: {}, people: { state: true }, sheet: { state: true }, busy: { state: true }, error: { state: true }, said: { state: true },
    reason: { state: true }, day: { state: true }, who: { state: true }, email: { state: true }, name: { state: true }, message: { state: true },
  };
  flow = "";
  base = "../";
  people: RecipientOut[] = [];
  sheet: Sheet = "";
  busy = false;
  error = "";
  said = "";
  reason = "";
  day = "";
  who = "";
  email = "";
  name = "";
  message = "";

  private readonly api = connect(this.base, "api/v1/me");

  private async open(sheet: Sheet): Promise<void> {
    this.error = this.said = "";
    if (sheet === "link" || sheet === "replace") {
      try {
        this.people = (await this.api.get<FlowOut>(`api/v1/flows/${this.flow}`)).steps.flatMap((step) => step.recipients);
      } catch (error) {
        this.error = sentence(error);
        return;
      }
      this.who = this.choices(sheet)[0]?.id ?? "";
    }
    this.sheet = sheet;
  }

  private choices(sheet: Sheet): RecipientOut[] {
    const wanted = sheet === "link" ? ["invited", "viewed"] : ["waiting", "invited", "viewed"];
    return this.people.filter((r) => wanted.includes(r.state));
  }

  private async ask(path: string, body: unknown, method: "POST" | "PUT" = "POST"): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = this.said = "";
    try {
      await this.api.post(`api/v1/flows/${this.flow}/${path}`, body, {}, method);
      return true;
    } catch (error) {
      const again = error instanceof Declined && error.problem.errors?.[0]?.message;
      this.error = again || sentence(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  private async remind(): Promise<void> {
    if (await this.ask("remind", {})) this.said = t("Reminder sent.");
  }

  private async send(path: string, body: unknown, method: "POST" | "PUT" = "POST"): Promise<void> {
    if (await this.ask(path, body, method)) location.reload();
  }

  private text(label: string, of: "email" | "name", test: string, type = "text"): TemplateResult {
    return html`<label class="pf-field"><span class="pf-label">${label}</span>
      <input class="pf-input" type=${type} maxlength="120" autocomplete="off" data-test=${test} .value=${this[of]} @input=${(event: Event) => { this[of] = (event.target as HTMLInputElement).value; }}></label>`;
  }

  private area(label: string, of: "reason" | "message", test: string, hint = ""): TemplateResult {
    return html`<label class="pf-field"><span class="pf-label">${label}</span>
      <textarea class="pf-input" rows="3" maxlength="4000" data-test=${test} .value=${this[of]} @input=${(event: Event) => { this[of] = (event.target as HTMLTextAreaElement).value; }}></textarea>
      ${hint ? html`<span class="pf-hint">${hint}</span>` : nothing}</label>`;
  }

  private person(sheet: Sheet): TemplateResult {
    return html`<label class="pf-field"><span class="pf-label">${t("Who")}</span>
      <select class="pf-input" data-test="steer-who" @change=${(event: Event) => { this.who = (event.target as HTMLSelectElement).value; }}>
        ${this.choices(sheet).map((r) => html`<option value=${r.id} ?selected=${r.id === this.who}>${r.name || r.email}</option>`)}</select></label>`;
  }

  private dialog(title: string, body: TemplateResult, label: string, blocked: string, act: () => void, look?: string): TemplateResult {
    const close = () => { this.sheet = ""; this.error = ""; };
    return frame({
      title, busy: this.busy, error: this.error, close, body,
      foot: html`${confirm({ label, blocked, busy: this.busy, act, test: "steer-confirm", ...(look ? { look } : {}) })}`,
    });
  }

  private sheets(): TemplateResult | typeof nothing {
    switch (this.sheet) {
      case "extend":
        return this.dialog(t("A later deadline"), html`<label class="pf-field"><span class="pf-label">${t("Last day to decide")}</span>
          <input class="pf-input" type="date" data-test="steer-day" .value=${this.day} @input=${(event: Event) => { this.day = (event.target as HTMLInputElement).value; }}></label>`,
          t("Extend"), this.day ? "" : t("Choose a day first."), () => void this.send("extend", { expires_at: this.day }));
      case "cancel":
        return this.dialog(t("Cancel this workflow?"), html`<p>${t("Nobody can decide any more. Whoever was asked is told, with your reason.")}</p>
          ${this.area(t("Why (required)"), "reason", "steer-reason", t("Your reason will appear in the evidence."))}`,
          t("Cancel this workflow"), this.reason.trim() ? "" : t("Write a reason first."), () => void this.send("cancel", { reason: this.reason }), "danger solid");
      case "link":
        return this.dialog(t("A new link"), html`<p>${t("A new e-mail goes out; the link before acts no more.")}</p>${this.person("link")}`,
          t("Send a new link"), this.who ? "" : t("At the moment it is nobody’s turn."), () => void this.send(`recipients/${this.who}/link`, {}));
      case "replace": {
        const isEmail = EMAIL.test(this.email.trim());
        return this.dialog(t("Somebody else instead"), html`<p>${t("The new person is asked in the same place, with the same stamps. The first one stays in the record.")}</p>
          ${this.person("replace")}${this.text(t("E-mail address of the new person"), "email", "steer-email", "email")}${this.text(t("Name (optional)"), "name", "steer-name")}
          ${this.area(t("Message (optional)"), "message", "steer-message")}`,
          t("Replace"), isEmail ? "" : t("Give an e-mail address."), () => void this.send(`recipients/${this.who}`, {
            email: this.email.trim(), ...(this.name.trim() ? { last_name: this.name.trim() } : {}), ...(this.message.trim() ? { comment: this.message } : {}),
          }, "PUT"));
      }
      default:
        return nothing;
    }
  }

  override render() {
    const suspended = this.hasAttribute("suspended");
    const button = (test: string, label: string, act: () => void, look = "") =>
      html`<button type="button" class="pf-btn ${look}" data-test=${test} aria-disabled=${this.busy} @click=${act}>${label}</button>`;
    return html`<div class="row wrap">
        ${suspended ? nothing : button("steer-remind", t("Remind now"), () => void this.remind())}
        ${button("steer-extend", t("Extend"), () => void this.open("extend"))}
        ${suspended ? nothing : button("steer-link", t("New link"), () => void this.open("link"))}
        ${button("steer-replace", t("Replace somebody"), () => void this.open("replace"))}
        ${suspended ? nothing : button("steer-cancel", t("Cancel this workflow"), () => void this.open("cancel"), "danger")}</div>
      <div role="status">${this.said ? html`<p class="pf-note ok">${icon("check")}<span>${this.said}</span></p>` : nothing}</div>
      <div role="alert">${this.error && !this.sheet ? html`<p class="pf-note danger">${icon("alert")}<span>${this.error}</span></p>` : nothing}</div>${this.sheets()}`;
  }
}
define("parapheur-steer", Steer);
