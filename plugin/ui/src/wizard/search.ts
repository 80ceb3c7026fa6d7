import { html, nothing } from "lit";
import { sentence, type Api } from "../api";
import { define, PageElement } from "../element";
import { icon } from "../icons";
import { t } from "../i18n";
import type { Suggestion } from "../types";
import { initials } from "../words";
import { isEmail } from "./draft";

export type Found = { user: string; name: string; email: string | null } | { user: null; name: string; email: string };

const PAUSE_MS = 250;

/** Finds a platform user by name, login or e-mail; a full e-mail becomes an external person. Fires `pf-found`. */
class PersonSearch extends PageElement {
  static override properties = {
    api: { attribute: false }, text: { state: true }, options: { state: true }, active: { state: true }, busy: { state: true }, trouble: { state: true }, open: { state: true },
  };
  api!: Api;
  text = "";
  options: Found[] = [];
  active = -1;
  busy = false;
  open = false;
  trouble = "";
  private timer = 0;
  private asked = 0;

  private type(text: string): void {
    this.text = text;
    this.trouble = "";
    window.clearTimeout(this.timer);
    const query = text.trim();
    this.open = query.length >= 2;
    if (!this.open) { this.options = []; return; }
    this.busy = true;
    this.timer = window.setTimeout(() => void this.find(query), PAUSE_MS);
  }

  private async find(query: string): Promise<void> {
    const ticket = ++this.asked;
    let people: Found[] = [];
    try {
      const answer = await this.api.get<{ recipients: Suggestion[] }>(`api/v1/recipients?search=${encodeURIComponent(query)}`);
      people = answer.recipients;
    } catch (error) {
      this.trouble = sentence(error); // the directory is down; an e-mail address still works
    }
    if (ticket !== this.asked) return;
    const known = people.some((p) => p.email?.toLowerCase() === query.toLowerCase());
    this.options = isEmail(query) && !known ? [...people, { user: null, name: query, email: query }] : people;
    this.active = this.options.length ? 0 : -1;
    this.busy = false;
  }

  private choose(found: Found | undefined): void {
    if (!found) return;
    this.dispatchEvent(new CustomEvent<Found>("pf-found", { detail: found }));
    this.text = "";
    this.options = [];
    this.open = false;
    const input = this.querySelector("input");
    if (input) input.value = "";
    input?.focus();
  }

  private keys(event: KeyboardEvent): void {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step && this.options.length) {
      event.preventDefault();
      this.open = true;
      this.active = (this.active + step + this.options.length) % this.options.length;
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.open && this.options[this.active] && !this.busy) this.choose(this.options[this.active]);
      else if (isEmail(this.text.trim())) this.choose({ user: null, name: this.text.trim(), email: this.text.trim() });
    } else if (event.key === "Escape") this.open = false;
  }

  private hint(): string {
    const text = this.text.trim();
    if (/@/.test(text) && !isEmail(text) && text.includes("@", 1)) return t("Incomplete address: the end is missing, for example “.com”.");
    return t("External person: type the full e-mail address.");
  }

  override render() {
    const shown = this.open && (this.options.length > 0 || this.busy || this.trouble || this.text.trim().length >= 2);
    return html`<div class="pf-combo">
      <div class="pf-with">${icon("search")}
        <input class="pf-input lg" type="text" role="combobox" autocomplete="off" spellcheck="false" aria-expanded=${shown} aria-controls="pf-people" aria-autocomplete="list"
          aria-label=${t("User login, or e-mail address")} placeholder=${t("User login, or e-mail address")} aria-describedby="pf-people-hint"
          aria-activedescendant=${this.active >= 0 && shown ? `pf-person-${this.active}` : nothing} data-test="recipient-input"
          @input=${(e: Event) => this.type((e.target as HTMLInputElement).value)} @keydown=${(e: KeyboardEvent) => this.keys(e)}
          @blur=${(e: Event) => window.setTimeout(() => { if (document.activeElement !== e.target) this.open = false; }, 150)} /></div>
      <p class="pf-hint" id="pf-people-hint">${this.hint()}</p>
      <ul class="pf-menu options" role="listbox" id="pf-people" aria-label=${t("People found")} ?hidden=${!shown}>
        ${this.options.map((found, i) => html`<li role="option" id="pf-person-${i}" class=${i === this.active ? "on" : ""} aria-selected=${i === this.active} data-test="recipient-option" data-user=${found.user ?? ""}
            @pointerdown=${(e: Event) => e.preventDefault()} @click=${() => this.choose(found)}>
          <span class="pf-avatar" aria-hidden="true">${found.user ? initials(found.name) : icon("mail", "s16")}</span>
          <span class="grow"><span class="ell">${found.user ? found.name : t("Add {email} (external)", { email: found.email ?? "" })}</span>
            ${found.user ? html`<small class="ell">${found.user}${found.email ? ` · ${found.email}` : ""}</small>` : html`<small>${t("Receives a link by e-mail, needs no account")}</small>`}</span></li>`)}
        ${this.options.length ? nothing : html`<li class="none sm mute">${this.busy ? t("Searching") : this.trouble ? html`${this.trouble}` : t("Nobody found. A full e-mail address works as well.")}</li>`}
      </ul></div>`;
  }
}
define("parapheur-search", PersonSearch);
