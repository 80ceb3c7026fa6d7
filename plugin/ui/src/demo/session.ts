import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t } from "../i18n";
import { initials } from "../words";

export interface DemoUser {
  uid: string;
  name: string;
  email: string;
}

export interface DemoSession {
  user: DemoUser | null;
  users: DemoUser[];
}

export const mark = () => html`<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><rect width="32" height="32" rx="8" fill="#d7ebe6" /><path d="M8 22.5c3.2-9.5 6-13 7.5-12s-2.3 8.5-.6 9.5 3-5.3 4.7-4.7-.6 3.7.9 4.3 2.1-.8 3.5-1.6" fill="none" stroke="#1f4e46" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" /></svg>`;

export async function enter(base: string, uid: string): Promise<void> {
  await (await fetch(`${base}demo/login`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ user: uid }) })).text();
  location.assign(base);
}

export async function leave(base: string): Promise<void> {
  await (await fetch(`${base}demo/logout`, { method: "POST" })).text();
  location.assign(base);
}

export function topBar(o: { base: string; session: DemoSession; workflows: string }): TemplateResult {
  const { user, users } = o.session;
  const switchLanguage = (language: string) => { document.cookie = `lang=${language}; path=/; max-age=31536000; SameSite=Lax`; location.reload(); };
  const other = document.documentElement.lang.startsWith("fr") ? "en" : "fr";
  return html`<header class="nc-top"><a class="nc-logo" href=${o.base}>${mark()}<span class="nm">Parapheur</span></a>
    <a href=${o.base} aria-current="page">${icon("folder")}<span class="nm">${t("Files")}</span></a>
    ${user ? html`<a href=${o.workflows} data-test="workflows">${icon("flow")}<span class="nm">${t("Workflows")}</span></a>` : nothing}
    <a href="${o.base}demo/mail" data-test="mails">${icon("mail")}<span class="nm">${t("Mail catcher")}</span></a>
    <span class="grow"></span>
    ${user ? html`<details data-test="user-menu"><summary><span class="nm">${user.name}</span><span class="pf-avatar" aria-hidden="true">${initials(user.name)}</span></summary>
      <div class="pf-menu"><p class="pf-section">${t("Continue as")}</p>
        ${users.filter((one) => one.uid !== user.uid).map((one) => html`<button type="button" data-test="switch-${one.uid}" @click=${() => void enter(o.base, one.uid)}>${icon("person")}<span>${one.name}<small>${one.email}</small></span></button>`)}
        <hr /><button type="button" lang=${other} @click=${() => switchLanguage(other)}>${icon("text")}${other === "fr" ? "Français" : "English"}</button>
        <button type="button" data-test="logout" @click=${() => void leave(o.base)}>${icon("back")}${t("Log out")}</button></div></details>` : nothing}
  </header>`;
}
